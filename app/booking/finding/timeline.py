"""Who sits where, day by day: what is taken on each unit of a space, cut to the days asked, as a table needs it.

Everybody sees when a unit is taken. What for is seen by those whose booking it is and by the space's staff: the
session's scope decides, and a look of staff at bookings of others is written down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.catalogue.offers import Offer
from app.booking.finding.directory import Listing
from app.booking.hours import Period
from app.booking.localtime import FIRST_YEAR, LAST_YEAR, ONE_DAY, day_start
from app.booking.models import Booking
from app.db import raw
from app.errors import Invalid
from app.network import audit
from app.network.models import Member
from app.network.people import Person
from app.network.roles import SEE_BOOKINGS

_WEEK = re.compile("([0-9]{4})-W([0-9]{2})")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

# Raw because everybody may know when, which is all it says; the units are those of one public space.
_BUSY = raw(
    """
    SELECT o.unit_id, lower(o.period) AS starts_at, upper(o.period) AS ends_at, o.kind, o.booking_id
    FROM unnest(CAST(:units AS bigint[])) AS wanted(unit_id)
    JOIN occupancy o ON int8range(o.unit_id, o.unit_id, '[]') && int8range(wanted.unit_id, wanted.unit_id, '[]')
     AND o.period && tstzrange(:start, :end)
    ORDER BY o.unit_id, o.period
    """
)


@dataclass(frozen=True, slots=True)
class ShownBooking:
    """What its member and the staff see of a booking; its own times, without buffers, and uncut."""

    id: UUID
    status: str
    title: str
    member_id: UUID
    member_name: str
    starts_at: datetime
    ends_at: datetime
    own: bool


@dataclass(frozen=True, slots=True)
class Busy:
    """`kind` is booking, closure, maintenance or external; `booking` is None for those who may not know."""

    start: datetime
    end: datetime
    kind: str
    booking: ShownBooking | None


@dataclass(frozen=True, slots=True)
class UnitLine:
    id: UUID
    name: str
    busy: list[Busy]


@dataclass(frozen=True, slots=True)
class ResourceLines:
    offer: Offer
    units: list[UnitLine]


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A local day, from its first instant to the next day's, and when the space is open."""

    day: date
    start: datetime
    end: datetime
    open: list[Period]


@dataclass(frozen=True, slots=True)
class Timeline:
    listing: Listing
    days: list[OpenDay]
    resources: list[ResourceLines]


def parse_day(text: str, *, field: str = "day") -> date:
    """Read YYYY-MM-DD. Raises Invalid naming `field`."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR < day.year < LAST_YEAR:
        raise Invalid.field(field, f"write a day as YYYY-MM-DD, between {FIRST_YEAR + 1} and {LAST_YEAR - 1}")
    return day


def parse_week(text: str, *, field: str = "week") -> date:
    """Read an ISO week, YYYY-Www, and return its Monday. Raises Invalid naming `field`."""
    match = _WEEK.fullmatch(text)
    try:
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        monday = None
    if monday is None or not FIRST_YEAR < monday.year < LAST_YEAR:
        raise Invalid.field(field, "write an ISO 8601 week as YYYY-Www, such as 2026-W23")
    return monday


def occupancy(
    session: Session, listing: Listing, *, first: date, days: int, person: Person | None, now: datetime
) -> Timeline:
    """What is taken in a space on `days` local days from `first`, as `person` may see it."""
    shown = [_open_day(listing, first + timedelta(days=n)) for n in range(days)]
    window = shown[0].start, shown[-1].end
    rows = _taken(session, listing, window)
    bookings = _bookings(session, {row.booking_id for row in rows if row.booking_id}, person)
    _note(session, listing, bookings.values(), first, person, now)
    busy: dict[int, list[Busy]] = {}
    for row in rows:
        period = max(row.starts_at, window[0]), min(row.ends_at, window[1])
        busy.setdefault(row.unit_id, []).append(Busy(*period, row.kind, bookings.get(row.booking_id)))
    return Timeline(listing, shown, [_lines(offer, busy) for offer in listing.offers])


def _open_day(listing: Listing, day: date) -> OpenDay:
    zone = listing.hours.zone
    return OpenDay(day, day_start(day, zone), day_start(day + ONE_DAY, zone), listing.hours.opening_of(day))


def _lines(offer: Offer, busy: dict[int, list[Busy]]) -> ResourceLines:
    lines = [UnitLine(unit.uid, unit.name, busy.get(unit_id, [])) for unit_id, unit in offer.units.items()]
    return ResourceLines(offer, lines)


def _taken(session: Session, listing: Listing, window: Period) -> Any:
    units = sorted({unit_id for offer in listing.offers for unit_id in offer.unit_ids})
    return session.execute(_BUSY, {"units": units, "start": window[0], "end": window[1]}).all()


def _bookings(session: Session, ids: set[int], person: Person | None) -> dict[int, ShownBooking]:
    """Those of the bookings that the session's scope lets this person see."""
    if person is None or not ids:
        return {}
    seen = select(
        Booking.id, Booking.uid, Booking.status, Booking.title, Member.uid.label("member_uid"), Member.name,
        Booking.starts_at, Booking.ends_at, Booking.member_id,
    ).join(Member, Member.id == Booking.member_id)  # fmt: skip
    return {
        row.id: ShownBooking(
            row.uid, row.status, row.title, row.member_uid, row.name, row.starts_at, row.ends_at,
            own=row.member_id == person.member_id,
        )
        for row in session.execute(seen.where(Booking.id.in_(ids)))
    }  # fmt: skip


def _note(session: Session, listing: Listing, bookings: Any, first: date, person: Person | None, now: datetime) -> None:
    """Staff who saw bookings of others leave a trace: one for the look, not one for each booking."""
    if person is not None and person.may(SEE_BOOKINGS, listing.id) and any(not booking.own for booking in bookings):
        audit.note(session, person, "occupancy.viewed", listing.id, f"{listing.uid}/{first.isoformat()}", now)
