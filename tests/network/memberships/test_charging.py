"""Each cycle's fee is asked for once, at its local midnight or whenever the timekeeper comes after it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession
from app.events.models import Due
from app.network.memberships.models import Membership
from app.network.models import VatRegime
from app.timekeeper import Timekeeper
from app.vat.rates import VatUndecided
from tests.builders import a_membership, saved
from tests.conftest import Clock
from tests.network.memberships.signing import a_house, at, d


def due_at(session: Session, membership: Membership) -> datetime | None:
    session.flush()
    return session.scalar(select(Due.at).where(Due.kind == "membership.next", Due.subject_id == membership.id))


def test_the_first_cycle_is_asked_for_at_once_and_the_next_at_its_midnight(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-03-17")
    assert house.asked(signed) == [("cycle", "03-17", "03-31", 4_839)], "15 of 31 days"
    assert due_at(session, signed) == at("2026-04-01") == datetime(2026, 3, 31, 22, tzinfo=UTC), "summer time by then"
    house.tick(signed, "2026-04-01")
    assert house.asked(signed)[1:] == [("cycle", "04-01", "04-30", 10_000)]
    line = house.lines(signed)[1]
    assert (line["gross_cents"], line["vat_cents"], line["days"], line["of_days"]) == (12_100, 2_100, 30, 30)
    assert line["vat"]["permille"] == 210
    assert line["vat"]["category"] == "S"
    assert line["plan_version_id"] == str(house.plan.uid)


def test_after_a_stop_every_cycle_is_asked_for_once_however_often_the_timekeeper_comes(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-01-01")
    for _ in range(3):
        house.tick(signed, "2026-04-02")
    assert house.asked(signed) == [
        ("cycle", "01-01", "01-31", 10_000),
        ("cycle", "02-01", "02-28", 10_000),
        ("cycle", "03-01", "03-31", 10_000),
        ("cycle", "04-01", "04-30", 10_000),
    ]
    assert house.types(signed) == ["started", "charged", "charged", "charged", "charged"]
    assert signed.charged_until == d("2026-04-30")


def test_a_clock_ten_minutes_off_asks_early_or_late_and_once(session: Session) -> None:
    house = a_house(session)
    signed = house.sign("2026-03-01", by="2026-02-28T23:50")
    assert house.asked(signed) == [], "not begun by this clock"
    for minute in ("2026-02-28T23:59", "2026-03-01T00:05", "2026-02-28T23:55", "2026-03-01T00:00"):
        house.tick(signed, minute)
    assert house.asked(signed) == [("cycle", "03-01", "03-31", 10_000)]
    for minute in ("2026-03-31T23:50", "2026-04-01T00:10", "2026-03-31T23:58"):
        house.tick(signed, minute)
    assert house.asked(signed)[1:] == [("cycle", "04-01", "04-30", 10_000)]


CYCLES = [
    ("2026-03-23", {"cycle": "week"}, ("cycle", "03-23", "03-29", 10_000), "the clock goes forward"),
    ("2026-10-19", {"cycle": "week"}, ("cycle", "10-19", "10-25", 10_000), "the clock goes back"),
    ("2028-02-29", {"anchor": "start"}, ("cycle", "02-29", "03-28", 10_000), "from 29 February"),
    ("2028-02-29", {}, ("cycle", "02-29", "02-29", 345), "the last day of a leap month"),
    ("2026-01-31", {"anchor": "start"}, ("cycle", "01-31", "02-27", 10_000), "no 31st in February"),
    ("2026-05-01", {"cycle": "term", "cycle_months": 3}, ("cycle", "05-01", "06-30", 6_703), "the rest of a quarter"),
]


def test_cycles_of_every_kind(session: Session) -> None:
    for starts_on, terms, asked, what in CYCLES:
        house = a_house(session, terms=terms)
        assert house.asked(house.sign(starts_on)) == [asked], what


def test_the_vat_is_the_regime_s_of_the_first_day_of_the_cycle(session: Session) -> None:
    house = a_house(session, country="FR", terms={"includes_vat": True, "price_cents": 12_000})
    saved(session, VatRegime(operator_id=house.space.operator_id, valid_from=d("2026-04-01"), regime="small_business"))
    signed = house.sign("2026-03-01")
    house.tick(signed, "2026-04-01")
    march, april = house.lines(signed)
    assert (march["gross_cents"], march["net_cents"], march["vat"]["permille"]) == (12_000, 10_000, 200)
    assert (april["gross_cents"], april["net_cents"], april["vat"]["category"]) == (12_000, 12_000, "E")
    assert april["vat"]["mention"] == "fr_small_business_293b"


def test_where_vat_cannot_be_decided_nothing_is_asked_for(session: Session) -> None:
    house = a_house(session, country="LU")
    with pytest.raises(VatUndecided):
        house.sign("2026-03-01")


def test_a_free_plan_and_a_trial_ask_for_nothing(session: Session) -> None:
    house = a_house(session, terms={"price_cents": 0})
    signed = house.sign("2026-03-01")
    assert (house.types(signed), signed.charged_until) == (["started"], d("2026-03-31"))
    trying = a_house(session, terms={"trial_days": 14})
    tried = trying.sign("2026-03-01")
    assert trying.asked(tried) == [("cycle", "03-15", "03-31", 5_484)]


def test_the_days_of_another_zone_are_its_own(session: Session) -> None:
    house = a_house(session, country="FR", timezone="America/Cayenne")
    signed = house.sign("2026-03-01")
    assert due_at(session, signed) == datetime(2026, 4, 1, 3, tzinfo=UTC)


def test_a_membership_from_before_is_not_asked_for(session: Session) -> None:
    house = a_house(session)
    old = a_membership(session, house.member, house.space)
    house.tick(old, "2026-04-01")
    assert (house.events(old), old.charged_until, due_at(session, old)) == ([], None, None)


def test_the_timekeeper_opens_cycles_by_itself(
    session: Session, make_session: sessionmaker[TenantSession], clock: Clock
) -> None:
    house = a_house(session)
    signed = house.sign("2026-03-01")
    session.commit()
    clock.now = at("2026-06-01T00:30")
    keeper = Timekeeper(make_session, clock=clock)
    assert [keeper.run_due(), keeper.run_due()] == [1, 0]
    assert [net for _, _, _, net in house.asked(signed)] == [10_000] * 4
    session.rollback()
    assert due_at(session, signed) == at("2026-07-01")
