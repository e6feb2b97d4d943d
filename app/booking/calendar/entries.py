"""A booking as calendars show it: to its owner, to the staff of its space, on a door.

The address of a feed is a bearer secret that travels into other people's calendars. What a space's feed says therefore
names no one and repeats no title, and a door's says only that the place is taken.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from app.booking.calendar.icalendar_text import Entry
from app.booking.calendar.wording import MAIN_LANGUAGE, words
from app.booking.models import Booking, CalendarFragment, Resource, Unit
from app.db import Statement
from app.network.models import Member, Space
from app.tenancy import scope_of

LONGEST_SUMMARY = 500  # characters: one row must not make everybody's calendar megabytes long

# A no-show's place is free again, so it is shown as a cancellation is, and leaves the calendar as one does.
STATUSES: dict[str, Any] = {
    "held": "TENTATIVE",
    "pending": "TENTATIVE",
    "confirmed": "CONFIRMED",
    "checked_in": "CONFIRMED",
    "completed": "CONFIRMED",
    "cancelled": "CANCELLED",
    "refused": "CANCELLED",
    "no_show": "CANCELLED",
}

_UNIT_NAMES = (
    select(func.array_agg(aggregate_order_by(Unit.name, Unit.id)))
    .where(Unit.id == any_(Booking.unit_ids))
    .correlate(Booking)
    .scalar_subquery()
)
_AS_IT_IS = (
    select(
        Booking.id,
        Booking.uid,
        Booking.member_id,
        Booking.space_id,
        Booking.resource_id,
        Booking.status,
        Booking.starts_at,
        Booking.ends_at,
        Booking.title,
        Booking.attendees,
        Booking.changed_at,
        Booking.revision,
        Resource.name.label("resource"),
        _UNIT_NAMES.label("units"),
        Space.name.label("space"),
        Space.street,
        Space.postcode,
        Space.town,
        Space.timezone,
        Space.latitude,
        Space.longitude,
        Member.locale,
        Member.erased_at.label("member_erased_at"),
        CalendarFragment.space_id.label("shown_space_id"),
        CalendarFragment.resource_id.label("shown_resource_id"),
        CalendarFragment.cancelled_at.label("shown_cancelled_at"),
    )
    .join(Resource, Resource.id == Booking.resource_id)
    .join(Space, Space.id == Booking.space_id)
    .join(Member, Member.id == Booking.member_id)
    .outerjoin(CalendarFragment, CalendarFragment.booking_id == Booking.id)
    .where(Booking.uid == bindparam("uid"))
)


_FOR_THE_WORKER = Statement.of(_AS_IT_IS)


def as_it_is(session: Session, booking_uid: UUID) -> Any:
    """The booking with the names around it and what calendars show of it so far; None for unknown or foreign ones."""
    if scope_of(session).sees_all:
        return _FOR_THE_WORKER.run(session, {"uid": booking_uid}).one_or_none()
    return session.execute(_AS_IT_IS, {"uid": booking_uid}).one_or_none()


def own_entry(booking: Any, *, public_url: str) -> Entry:
    """For the member who booked, in their language. The page is linked when `public_url` says where it is."""
    say = words(booking.locale)
    place = ", ".join(filter(None, (booking.space, booking.street, f"{booking.postcode} {booking.town}")))
    return _entry(
        booking,
        summary=booking.title.strip()[:LONGEST_SUMMARY] or booking.resource,
        description=f"{_what(booking)}\n{say['status'].format(status=say[booking.status])}",
        location=place,
        geo=(booking.latitude, booking.longitude),
        url=f"{public_url}/bookings" if public_url else None,
    )


def space_entry(booking: Any) -> Entry:
    """For the staff of the space: what is taken, by how many, and how certain it is."""
    say = words(MAIN_LANGUAGE)
    people = say["people"].format(count=1 + len(booking.attendees))
    return _entry(booking, summary=f"{_what(booking)} · {people} · {say[booking.status]}")


def busy_entry(booking: Any) -> Entry:
    """For a display at the door: that the place is taken."""
    return _entry(booking, summary=words(MAIN_LANGUAGE)["busy"])


def _what(booking: Any) -> str:
    units = ", ".join(booking.units or ())
    return f"{booking.resource} · {units}" if units and units != booking.resource else str(booking.resource)


def _entry(booking: Any, *, summary: str, **shown: Any) -> Entry:
    """DTSTAMP is the instant of the last change, as RFC 5545, 3.8.7.2 wants it without METHOD: so the same revision
    always gives the same text, however often its event is delivered."""
    status = STATUSES[booking.status]
    return Entry(
        uid=f"{booking.uid}@passerelle",
        start=booking.starts_at,
        end=booking.ends_at,
        zone=booking.timezone,
        summary=summary,
        status=status,
        transparent=status == "CANCELLED",
        sequence=booking.revision,
        last_modified=booking.changed_at,
        dtstamp=booking.changed_at,
        **shown,
    )
