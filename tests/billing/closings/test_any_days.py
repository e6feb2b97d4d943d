"""Whatever is sold when, and however long nobody closes: closings add up to what was sold, and to each other."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.charges.models import Charge
from app.billing.closings.examining import examine
from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from tests.billing.closings.books import a_customer, books, closings, pass_time, record, said
from tests.conftest import Clock

ZONES = ("Europe/Brussels", "Indian/Reunion", "America/Cayenne")
BEGINNINGS = (  # a leap day, both changes of the clock, the end of a year
    datetime(2028, 2, 28, 9, tzinfo=UTC), datetime(2026, 3, 28, 9, tzinfo=UTC), datetime(2026, 10, 24, 9, tzinfo=UTC),
    datetime(2026, 12, 30, 9, tzinfo=UTC),
)  # fmt: skip
SALE = st.tuples(st.just("sale"), st.integers(1, 10**7), st.sampled_from([0, 55, 210]), st.integers(-30, 30))
WAIT = st.tuples(st.just("wait"), st.sampled_from([1, 11, 24, 49]))
COLUMNS = ("count", "net_cents", "vat_cents", "gross_cents")
CLOSE = st.tuples(st.just("close"))
pytestmark = pytest.mark.usefixtures("home")


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ZONES), st.sampled_from(BEGINNINGS), st.lists(st.one_of(SALE, WAIT, CLOSE), max_size=14))
def test_closings_add_up(
    make_session: sessionmaker[TenantSession], clock: Clock, zone: str, begins: datetime, story: list[Any]
) -> None:
    clock.now = begins
    with transaction(make_session, SYSTEM) as session:
        session.execute(raw("DELETE FROM due"))  # of the example before
        operator, customer = books(session, timezone=zone), a_customer(session)
    pass_time(make_session, clock)
    for what, *values in story:
        if what == "sale":
            net, rate, minutes_off = values
            with transaction(make_session, SYSTEM) as session:
                record(session, operator, customer, net=net, rate=rate, at=clock.now + timedelta(minutes=minutes_off))
        elif what == "wait":
            clock.pass_by(hours=values[0])
        else:
            pass_time(make_session, clock)
    clock.pass_by(days=3)
    pass_time(make_session, clock)
    days = closings(make_session, operator)
    assert _by_day(make_session, operator.id, zone) == {
        day.first_day: sum(row["gross_cents"] for row in said(day)["totals"]["charges"])
        for day in days
        if said(day)["totals"]["charges"]
    }
    _check_grand_totals(days)
    for kind in ("month", "year"):
        for longer in closings(make_session, operator, kind):
            within = [day for day in days if longer.first_day <= day.first_day <= longer.last_day]
            assert _documents(said(longer)["totals"]) == sum(
                (_documents(said(day)["totals"]) for day in within), Counter()
            )
            assert said(longer)["grand_totals"] == said(within[-1])["grand_totals"]
    with transaction(make_session, SYSTEM) as session:
        assert [fault for fault in examine(session) if fault.operator == operator.name] == []


def _by_day(make_session: sessionmaker[TenantSession], operator_id: int, zone: str) -> dict[Any, int]:
    """Sold per local day of recording, added up one by one."""
    found: Counter[Any] = Counter()
    with transaction(make_session, SYSTEM) as session:
        for at, gross in session.execute(
            select(Charge.created_at, Charge.gross_cents).where(Charge.operator_id == operator_id)
        ):
            found[at.astimezone(ZoneInfo(zone)).date()] += gross
    return dict(found)


def _documents(totals: dict[str, Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in totals["documents"]:
        found.update(
            {f"{row['kind']} {name}": row[name] for name in ("count", "net_cents", "vat_cents", "gross_cents")}
        )
    return +found


def _check_grand_totals(days: list[Any]) -> None:
    so_far: Counter[str] = Counter()
    for day in days:
        so_far += _documents(said(day)["totals"])
        assert _documents(said(day)["grand_totals"]) == so_far
