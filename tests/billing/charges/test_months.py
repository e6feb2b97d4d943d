"""Months are closed in order, once, and for good; what is charged meanwhile is in one or in the next, never lost."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.billing import months
from app.billing.charges.models import BillingMonth
from app.billing.months import Books, MonthNotOver, MonthOutOfOrder
from app.db import TenantSession, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.builders import a_space, an_operator
from tests.waiting import until

MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)
IN_JUNE = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("closed", "day", "month", "late"),
    [
        (None, date(2026, 3, 31), MARCH, False),
        (MARCH, date(2026, 3, 31), APRIL, True),
        (MARCH, date(2019, 1, 1), APRIL, True),
        (MARCH, date(2026, 4, 1), APRIL, False),
        (MARCH, date(2026, 5, 17), MAY, False),
        (date(2025, 12, 1), date(2025, 12, 31), date(2026, 1, 1), True),
        (date(2028, 1, 1), date(2028, 2, 29), date(2028, 2, 1), False),
    ],
)
def test_what_is_late_goes_to_the_first_open_month(closed: date | None, day: date, month: date, late: bool) -> None:
    assert Books(closed=closed).month_for(day) == (month, late)


@pytest.mark.parametrize(
    ("closed", "day", "today", "posted"),
    [
        (None, date(2026, 3, 31), date(2026, 4, 2), date(2026, 3, 31)),
        (MARCH, date(2026, 3, 31), date(2026, 4, 2), date(2026, 4, 2)),
        (MARCH, date(2026, 3, 31), date(2026, 3, 31), date(2026, 4, 1)),  # the closing host's clock runs ahead
        (MARCH, date(2026, 4, 1), date(2026, 4, 2), date(2026, 4, 1)),
    ],
)
def test_nothing_is_posted_into_a_closed_month(closed: date | None, day: date, today: date, posted: date) -> None:
    assert Books(closed=closed).posting_day(day, today=today) == posted


def test_months_are_closed_in_order_and_once(session: Session) -> None:
    operator = an_operator(session)
    assert months.open_month(session, operator.id, date(2026, 3, 9)) == (MARCH, False)
    assert months.close(session, operator.id, date(2026, 3, 15), IN_JUNE) is True
    assert months.close(session, operator.id, MARCH, IN_JUNE) is False
    assert months.close(session, operator.id, date(2026, 1, 1), IN_JUNE) is False
    with pytest.raises(MonthOutOfOrder) as refused:
        months.close(session, operator.id, MAY, IN_JUNE)
    assert refused.value.facts == {"month": "2026-05", "next": "2026-04"}
    assert months.close(session, operator.id, APRIL, IN_JUNE) is True
    assert months.open_month(session, operator.id, date(2026, 3, 9)) == (MAY, True)


def test_the_first_month_closed_is_not_one_before_billing_began(session: Session) -> None:
    operator = an_operator(session)
    session.add(BillingMonth(operator_id=operator.id, begins=APRIL))
    session.flush()
    with pytest.raises(MonthOutOfOrder):
        months.close(session, operator.id, MARCH, IN_JUNE)
    assert months.close(session, operator.id, MAY, IN_JUNE) is True
    books = months.hold_books(session, operator.id)
    assert [books.is_ours(day) for day in (date(2026, 3, 31), APRIL)] == [False, True]


@pytest.mark.parametrize(
    ("zone", "over"),
    [
        ("Europe/Brussels", datetime(2026, 3, 31, 22, tzinfo=UTC)),  # the clocks went forward two days earlier
        ("Indian/Reunion", datetime(2026, 3, 31, 20, tzinfo=UTC)),
        ("America/Cayenne", datetime(2026, 4, 1, 3, tzinfo=UTC)),
    ],
)
def test_a_month_is_closed_when_it_is_over_where_it_is_over_last(session: Session, zone: str, over: datetime) -> None:
    space = a_space(session, timezone=zone)
    operator = session.get_one(Operator, space.operator_id)
    with pytest.raises(MonthNotOver):
        months.close(session, operator.id, MARCH, over.replace(hour=over.hour - 1, minute=59))
    assert months.close(session, operator.id, MARCH, over) is True


def test_a_closing_waits_for_who_is_charging_and_what_comes_then_is_late(
    session: Session, make_session: sessionmaker[TenantSession]
) -> None:
    operator = an_operator(session)
    months.hold_books(session, operator.id)
    session.commit()
    closed = threading.Event()
    found: list[bool] = []

    def close() -> None:
        with transaction(make_session, SYSTEM) as other:
            found.append(months.close(other, operator.id, MARCH, IN_JUNE))
        closed.set()

    with transaction(make_session, SYSTEM) as charging, transaction(make_session, SYSTEM) as beside:
        assert months.open_month(charging, operator.id, MARCH) == (MARCH, False)
        assert months.open_month(beside, operator.id, MARCH) == (MARCH, False), "who charges holds up nobody else"
        beside.commit()
        thread = threading.Thread(target=close)
        thread.start()
        assert not closed.wait(0.2)
    until(closed.is_set, describe="closed once the charge is committed")
    thread.join()
    assert found == [True]
    assert months.open_month(session, operator.id, MARCH) == (APRIL, True)


def test_two_who_close_at_once_close_it_once(session: Session, make_session: sessionmaker[TenantSession]) -> None:
    operator = an_operator(session)
    session.commit()
    barrier, found = threading.Barrier(4), []

    def close() -> None:
        barrier.wait()
        with transaction(make_session, SYSTEM) as other:
            found.append(months.close(other, operator.id, MARCH, IN_JUNE))

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, False, False, True]
