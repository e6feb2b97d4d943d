"""Whether the booking is still what a mail about it says: a mail that is overtaken is not sent.

It is overtaken only by what has a mail of its own: a move, an approval, an end. So nobody is left untold, and nobody
reads of a booking that is over, or looks for it where it was. That a booking was missed is told by none: it overtakes
what looks forward to the visit, but not the news that staff moved it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Booking, BookingSeries, Resource
from app.events.envelope import instant
from app.notifications.facts import subject_by_id
from app.notifications.models import Notification

CERTAIN = ("confirmed", "checked_in", "completed")

# Mails that are only true while the booking has one of these statuses, at the time and place they name.
ONLY_WHILE: Mapping[str, tuple[str, ...]] = {
    "booking_confirmed": CERTAIN,
    "booking_requested": ("pending",),
    "booking_moved": ("pending", *CERTAIN, "no_show"),
    "waitlist_offered": ("held",),
    "reminder": ("confirmed",),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a mail's facts is still so, and the status of its booking, where that matters to it."""

    facts: Mapping[str, Any]
    status: str | None = None


def as_it_stands(session: Session, notification: Notification) -> Standing | None:
    """None when the mail is overtaken. Of a recurrence, the dates that others have not been told of since."""
    statuses, facts = ONLY_WHILE.get(notification.kind), notification.facts
    if statuses is None:
        return Standing(facts)
    if "dates" in facts:
        left = _dates_left(session, facts, statuses)
        return Standing(left) if left["dates"] else None
    subject = subject_by_id(session, notification.booking_id) if notification.booking_id else None
    if subject is None:
        return None
    booking = subject.booking
    now = (instant(booking.starts_at), instant(booking.ends_at), str(subject.resource_uid))
    if booking.status not in statuses or now != (facts["start"], facts["end"], facts["resource_id"]):
        return None
    return Standing(facts, booking.status)


def _dates_left(session: Session, facts: Mapping[str, Any], statuses: tuple[str, ...]) -> Mapping[str, Any]:
    """The facts with the dates that stand as they say, and with the price of those alone where some are gone."""
    query = (
        select(Booking.starts_at, Booking.ends_at, Booking.gross_cents, Booking.vat_cents)
        .join(BookingSeries, BookingSeries.id == Booking.series_id)
        .join(Resource, Resource.id == Booking.resource_id)
        .where(BookingSeries.uid == UUID(facts["series_id"]), Resource.uid == UUID(facts["resource_id"]))
        .where(Booking.status.in_(statuses))
        .order_by(Booking.starts_at)
    )
    found = [([instant(row.starts_at), instant(row.ends_at)], row) for row in session.execute(query)]
    left = [(date, row) for date, row in found if date in facts["dates"]]
    if len(left) == len(facts["dates"]):
        return facts
    return {
        **facts,
        "dates": [date for date, _ in left],
        "gross_cents": sum(row.gross_cents for _, row in left),
        "vat_cents": sum(row.vat_cents for _, row in left),
    }
