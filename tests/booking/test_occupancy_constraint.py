"""The database itself keeps two occupancies of a unit apart, whoever writes: after migrating, by plain SQL."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.booking.models import Booking, Unit
from tests.booking.house import at
from tests.builders import a_booking, a_member, a_room, a_space, a_unit

INSERT = (
    "INSERT INTO occupancy (unit_id, period, kind, booking_id) VALUES (:unit, CAST(:period AS tstzrange), :kind, :b)"
)


@pytest.fixture
def unit(session: Session) -> Unit:
    return a_unit(session, a_space(session))


def occupy(session: Session, unit: Unit, period: str, *, kind: str = "external", booking: int | None = None) -> None:
    values = {"unit": unit.id, "period": period, "kind": kind, "b": booking}
    session.connection().execute(text(INSERT), values)


def refused_by(session: Session, constraint: str, unit: Unit, period: str, **values: object) -> None:
    with pytest.raises(DBAPIError) as error:
        occupy(session, unit, period, **values)  # type: ignore[arg-type]
    assert error.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]


def test_one_unit_one_occupancy_at_a_time(session: Session, unit: Unit) -> None:
    occupy(session, unit, "[2026-03-03 09:00+01, 2026-03-03 11:00+01)")
    refused_by(
        session, "no_two_occupancies_of_a_unit_overlap", unit, "[2026-03-03 10:59:59.999999+01, 2026-03-03 12:00+01)"
    )


@pytest.mark.parametrize("period", [
    "[2026-03-03 09:00+01, 2026-03-03 11:00+01)", "[2026-03-03 09:30+01, 2026-03-03 10:00+01)",
    "[2026-03-03 08:00+01, 2026-03-03 12:00+01)", "[2026-03-03 08:00+01, 2026-03-03 09:00:00.000001+01)",
])  # fmt: skip
def test_no_overlap_of_any_sort(session: Session, unit: Unit, period: str) -> None:
    occupy(session, unit, "[2026-03-03 09:00+01, 2026-03-03 11:00+01)")
    refused_by(session, "no_two_occupancies_of_a_unit_overlap", unit, period)


def test_back_to_back_and_other_units_are_fine(session: Session, unit: Unit) -> None:
    other = a_unit(session, a_space(session))
    for place, period in [
        (unit, "[2026-03-03 09:00+01, 2026-03-03 11:00+01)"),
        (unit, "[2026-03-03 11:00+01, 2026-03-03 12:00+01)"),
        (unit, "[2026-03-03 08:00+01, 2026-03-03 09:00+01)"),
        (other, "[2026-03-03 09:00+01, 2026-03-03 11:00+01)"),
    ]:
        occupy(session, place, period)


@pytest.mark.parametrize("period", [
    "empty", "[2026-03-03 09:00+01, 2026-03-03 09:00+01)", "[2026-03-03 09:00+01,)", "(, 2026-03-03 09:00+01)", "(,)",
    "[2026-03-03 09:00+01, infinity)", "[-infinity, 2026-03-03 09:00+01)", "[-infinity, infinity)",
])  # fmt: skip
def test_an_empty_or_endless_period_is_refused(session: Session, unit: Unit, period: str) -> None:
    with pytest.raises(DBAPIError) as error:
        occupy(session, unit, period)
    assert error.value.orig.diag.constraint_name in ("ck_occupancy_period", "ck_occupancy_half_open")  # type: ignore[union-attr]


@pytest.mark.parametrize("period", [
    "[2026-03-03 09:00+01, 2026-03-03 11:00+01]", "(2026-03-03 09:00+01, 2026-03-03 11:00+01)",
    "(2026-03-03 09:00+01, 2026-03-03 11:00+01]",
])  # fmt: skip
def test_a_period_is_half_open(session: Session, unit: Unit, period: str) -> None:
    refused_by(session, "ck_occupancy_half_open", unit, period)


@pytest.mark.parametrize("constraint", ["ck_occupancy_period", "ck_occupancy_half_open"])
def test_either_check_alone_keeps_empty_and_unbounded_periods_out(
    session: Session, unit: Unit, constraint: str
) -> None:
    """Two checks refuse what has no bounds: each is seen to act with the other gone."""
    other = {"ck_occupancy_period": "ck_occupancy_half_open", "ck_occupancy_half_open": "ck_occupancy_period"}
    session.connection().execute(text(f"ALTER TABLE occupancy DROP CONSTRAINT {other[constraint]}"))
    refused_by(session, constraint, unit, "empty" if constraint == "ck_occupancy_period" else "(,)")


def test_an_infinite_bound_is_refused_by_the_check_of_periods(session: Session, unit: Unit) -> None:
    refused_by(session, "ck_occupancy_period", unit, "[2026-03-03 09:00+01, infinity)")


def test_only_known_kinds(session: Session, unit: Unit) -> None:
    refused_by(session, "ck_occupancy_kind", unit, "[2026-03-03 09:00+01, 2026-03-03 11:00+01)", kind="nap")


def test_a_booking_occupies_as_a_booking_and_nothing_else_does(session: Session) -> None:
    room = a_room(session, a_space(session))
    booking: Booking = a_booking(session, room, a_member(session), start=at(9), end=at(10))
    unit = session.get_one(Unit, booking.unit_ids[0])
    for values in ({"kind": "booking"}, {"kind": "closure", "booking": booking.id}):
        savepoint = session.begin_nested()
        refused_by(session, "ck_occupancy_booking", unit, "[2026-03-04 09:00+01, 2026-03-04 11:00+01)", **values)
        savepoint.rollback()


@pytest.mark.parametrize(("column", "value", "constraint"), [
    ("status", "'maybe'", "ck_booking_status"), ("ends_at", "starts_at", "ck_booking_period"),
    ("vat_cents", "vat_cents + 1", "ck_booking_price"),
])  # fmt: skip
def test_a_booking_that_cannot_be_is_refused(session: Session, column: str, value: str, constraint: str) -> None:
    booking = a_booking(session, a_room(session, a_space(session)), a_member(session), start=at(9), end=at(10))
    with pytest.raises(DBAPIError) as error:
        session.connection().execute(text(f"UPDATE booking SET {column} = {value} WHERE id = {booking.id}"))
    assert error.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]
