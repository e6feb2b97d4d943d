"""Days, months and years close by themselves, in order, once each, and what they count is right."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from app.billing.closings.models import Closing
from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from tests.billing.closings.books import a_customer, books, closings, pass_time, record, said
from tests.conftest import Clock

Sessions = sessionmaker[TenantSession]
pytestmark = pytest.mark.usefixtures("home")


def test_a_day_closes_at_local_midnight_with_what_was_recorded_in_it(make_session: Sessions, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
        record(session, operator, customer, net=10_000, at=clock.now)
        record(session, operator, customer, net=2_500, at=clock.now + timedelta(hours=13))
        record(session, operator, customer, net=-1_000, at=clock.now + timedelta(hours=13))
        record(session, operator, customer, net=700, at=datetime(2026, 3, 2, 23, tzinfo=UTC))  # midnight in Brussels
    clock.now = datetime(2026, 3, 2, 22, 59, 59, tzinfo=UTC)
    pass_time(make_session, clock)
    assert closings(make_session, operator) == []
    clock.now = datetime(2026, 3, 2, 23, tzinfo=UTC)
    pass_time(make_session, clock)
    [day] = closings(make_session, operator)
    assert (day.number, day.first_day, day.last_day, day.previous_hash) == (1, date(2026, 3, 2), date(2026, 3, 2), None)
    assert (day.starts_at, day.ends_at) == (datetime(2026, 3, 1, 23, tzinfo=UTC), clock.now)
    totals = said(day)["totals"]
    assert totals["documents"] == [
        {"kind": "credit_note", "currency": "EUR", "series": "C2026", "count": 1, "net_cents": 1_000, "vat_cents": 210,
         "gross_cents": 1_210, "first": 1, "last": 1},
        {"kind": "invoice", "currency": "EUR", "series": "I2026", "count": 2, "net_cents": 12_500, "vat_cents": 2_625,
         "gross_cents": 15_125, "first": 1, "last": 2},
    ]  # fmt: skip
    assert totals["taxes"][1] == {
        "kind": "invoice", "currency": "EUR", "category": "S", "permille": 210, "net_cents": 12_500, "vat_cents": 2_625,
    }  # fmt: skip
    assert totals["ledger"] == [
        {"currency": "EUR", "postings": 3, "entries": 9, "debit_cents": 16_335, "credit_cents": 16_335}
    ]
    assert totals["charges"] == [
        {"currency": "EUR", "count": 3, "net_cents": 11_500, "vat_cents": 2_415, "gross_cents": 13_915}
    ]
    assert totals["payments"] == []


def test_months_and_years_close_with_their_last_day_and_totals_go_on(make_session: Sessions, clock: Clock) -> None:
    clock.now = datetime(2027, 12, 30, 9, tzinfo=UTC)
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
        for day in range(4):
            record(session, operator, customer, net=1_000, at=clock.now + timedelta(days=day))
    clock.now = datetime(2028, 1, 3, 0, tzinfo=UTC)
    pass_time(make_session, clock)
    days = closings(make_session, operator)
    [month], [year] = (closings(make_session, operator, kind) for kind in ("month", "year"))
    assert [day.first_day.day for day in days] == [30, 31, 1, 2]
    assert (month.first_day, month.last_day) == (date(2027, 12, 30), date(2027, 12, 31))
    assert said(month)["totals"]["documents"][0]["count"] == 2
    assert said(month)["days"] == {"first": 1, "last": 2, "head": days[1].hash}
    assert said(year)["totals"] == said(month)["totals"]
    assert [said(day)["grand_totals"]["documents"][0]["net_cents"] for day in days] == [1_000, 2_000, 3_000, 4_000]
    assert said(days[3])["totals"]["documents"][0]["series"] == "I2028"
    assert said(year)["grand_totals"] == said(days[1])["grand_totals"]


def test_after_standstill_each_day_is_closed_once_in_order_and_empty_ones_too(
    make_session: Sessions, clock: Clock
) -> None:
    clock.now = datetime(2028, 2, 25, 9, tzinfo=UTC)
    with transaction(make_session, SYSTEM) as session:
        operator, other = books(session), books(session, timezone="Europe/Paris", country="FR")
        record(session, operator, a_customer(session), net=900, at=clock.now)
    pass_time(make_session, clock)
    clock.pass_by(days=40)
    pass_time(make_session, clock)
    for each in (operator, other):
        days = closings(make_session, each)
        assert [day.first_day for day in days] == [date(2028, 2, 25) + timedelta(days=n) for n in range(40)]
        assert [day.number for day in days] == list(range(1, 41))
        assert [day.previous_hash for day in days] == [None, *(day.hash for day in days[:-1])]
        assert [day.starts_at for day in days[1:]] == [day.ends_at for day in days[:-1]]
        assert [(m.first_day, m.last_day) for m in closings(make_session, each, "month")] == [
            (date(2028, 2, 25), date(2028, 2, 29)), (date(2028, 3, 1), date(2028, 3, 31)),
        ]  # fmt: skip
    assert pass_time(make_session, clock) == 0


def test_what_comes_after_a_day_is_closed_counts_for_the_day_it_is_recorded_in(
    make_session: Sessions, clock: Clock
) -> None:
    clock.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
    pass_time(make_session, clock)
    clock.pass_by(days=1)
    pass_time(make_session, clock)
    before = closings(make_session, operator)
    with transaction(make_session, SYSTEM) as session:  # whose clock is ten minutes and a day behind
        record(session, operator, customer, net=500, at=clock.now - timedelta(days=1, minutes=10))
        record(session, operator, customer, net=600, at=clock.now)
    clock.pass_by(days=1)
    pass_time(make_session, clock)
    first, second = closings(make_session, operator)
    assert first.hash == before[0].hash and said(first)["totals"]["documents"] == []
    assert said(second)["totals"]["documents"][0]["net_cents"] == 1_100
    assert said(second)["totals"]["ledger"][0]["postings"] == 2
    assert said(second)["totals"]["charges"][0]["count"] == 2


def test_numbers_of_a_series_are_recorded_in_their_order_whatever_a_clock_says(
    make_session: Sessions, clock: Clock
) -> None:
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
        for minutes in (5, -10, 3):
            record(session, operator, customer, net=100, at=clock.now + timedelta(minutes=minutes))
        recorded = session.execute(raw("SELECT finalised_at FROM invoice ORDER BY sequence")).scalars().all()
    assert recorded == [clock.now + timedelta(minutes=5)] * 3


def test_books_of_an_operator_that_is_older_than_its_closings_begin_with_what_was_recorded_first(
    make_session: Sessions, clock: Clock
) -> None:
    with transaction(make_session, SYSTEM) as session:
        operator, customer = books(session), a_customer(session)
        record(session, operator, customer, net=100, at=clock.now - timedelta(days=3))
    pass_time(make_session, clock)
    days = closings(make_session, operator)
    assert [said(day)["totals"]["documents"] != [] for day in days] == [True, False, False]


@pytest.mark.parametrize("change", ["UPDATE closing SET sealed_at = now()", "DELETE FROM closing", "TRUNCATE closing"])
def test_a_closing_is_never_changed_or_removed(make_session: Sessions, clock: Clock, change: str) -> None:
    with transaction(make_session, SYSTEM) as session:
        books(session)
    pass_time(make_session, clock)
    clock.pass_by(days=1)
    pass_time(make_session, clock)
    with pytest.raises(DBAPIError, match="neither changed nor removed"), transaction(make_session, SYSTEM) as session:
        session.execute(raw(change))
    with pytest.raises(DBAPIError, match="neither changed nor removed"), transaction(make_session, SYSTEM) as session:
        session.execute(update(Closing).values(hash="0"))
