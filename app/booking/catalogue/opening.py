"""When a space is open: its weekly rows, and the days that are different."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from itertools import pairwise
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.booking.hours import MIDNIGHT, Opening
from app.booking.hours import HoursException as SpecialHours
from app.booking.models import HoursException, OpeningHours
from app.errors import Invalid, NotFound
from app.network.models import Space

Rows = list[dict[str, time]]


def set_opening_hours(
    session: Session, space: Space, *, openings: list[dict[str, Any]], closed_on_holidays: bool
) -> None:
    """Replace the weekly hours. Raises Invalid for rows of one weekday that overlap, or end before they begin."""
    _check_each(openings, lambda row: Opening(**row))
    for weekday in range(7):
        _check_apart([row for row in openings if row["weekday"] == weekday], "openings")
    session.execute(delete(OpeningHours).where(OpeningHours.space_id == space.id))
    session.add_all(OpeningHours(space_id=space.id, **row) for row in openings)
    space.closed_on_holidays = closed_on_holidays


def set_exception(session: Session, space: Space, *, day: date, openings: Rows, reason: str) -> None:
    """Other hours on one day, instead of any exception it had; without openings the space is closed that day."""
    _check_each(openings, lambda row: SpecialHours(day, **row))
    _check_apart(openings, "openings")
    session.execute(_of_day(space, day))
    rows: list[dict[str, time | None]] = [{**row} for row in openings] or [{"opens": None, "closes": None}]
    session.add_all(HoursException(space_id=space.id, day=day, reason=reason, **row) for row in rows)


def remove_exception(session: Session, space: Space, *, day: date) -> None:
    """Have a day's usual hours again. Raises NotFound when they were never changed."""
    removed = session.execute(_of_day(space, day).returning(HoursException.id)).all()
    if not removed:
        raise NotFound()


def _of_day(space: Space, day: date) -> Any:
    return delete(HoursException).where(HoursException.space_id == space.id, HoursException.day == day)


def _check_each(rows: list[Any], judge: Callable[[Any], object]) -> None:
    """Raises Invalid on the field of the row that `judge` refuses, e.g. `openings.2.closes`."""
    for position, row in enumerate(rows):
        try:
            judge(row)
        except Invalid as wrong:
            ((name, message),) = ((error["field"], error["message"]) for error in wrong.facts["errors"])
            raise Invalid.field(f"openings.{position}.{name}", message) from None


def _check_apart(rows: list[Any], field: str) -> None:
    ordered = sorted(rows, key=lambda row: row["opens"])
    for earlier, later in pairwise(ordered):
        if earlier["closes"] == MIDNIGHT or later["opens"] < earlier["closes"]:
            raise Invalid.field(field, "openings of one day must not overlap")


def weekly_rows(session: Session, space_id: int) -> list[OpeningHours]:
    mine = select(OpeningHours).where(OpeningHours.space_id == space_id)
    return list(session.scalars(mine.order_by(OpeningHours.weekday, OpeningHours.opens)))


def exceptions_from(session: Session, space_id: int, day: date) -> list[HoursException]:
    """The exceptions of `day` and later."""
    mine = select(HoursException).where(HoursException.space_id == space_id, HoursException.day >= day)
    return list(session.scalars(mine.order_by(HoursException.day, HoursException.opens)))
