"""What bookings know about a person: told to them on request, and forgotten with their account.

What stays of a booking is what the space's books need: when, where, how much. Who it was is the member's row, which is
blank by then; titles, guests and calendar texts go.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.booking.models import Booking, CalendarFragment, Feed, Quote, Resource, WaitlistEntry
from app.booking.waiting import leave_waitlist
from app.events.envelope import instant
from app.network import privacy

AHEAD = ("held", "pending", "confirmed", "checked_in")
WAITING = ("waiting", "offered")


@privacy.erasure_obstacles
def bookings_ahead(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    """Bookings that are not over: to be cancelled first, under their terms."""
    mine = select(Booking.uid, Booking.starts_at).where(Booking.member_id == member_id, Booking.ends_at > now)
    rows = session.execute(mine.where(Booking.status.in_(AHEAD)).order_by(Booking.starts_at).limit(20))
    return [{"kind": "booking", "id": str(row.uid), "start": instant(row.starts_at)} for row in rows]


@privacy.eraser
def forget(session: Session, member_id: int, *, now: datetime) -> None:
    """Blank what the member wrote, close their calendars, and wait for nothing any more."""
    waits = select(WaitlistEntry.uid).where(WaitlistEntry.member_id == member_id, WaitlistEntry.status.in_(WAITING))
    for uid in session.scalars(waits.order_by(WaitlistEntry.id)).all():
        leave_waitlist(session, uid, now=now)
    for statement in (
        update(Booking).where(Booking.member_id == member_id).values(title="", attendees=[]),
        update(CalendarFragment).where(CalendarFragment.member_id == member_id).values(own_text=""),
        update(Feed).where(Feed.member_id == member_id, Feed.revoked_at.is_(None)).values(revoked_at=now),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    gone = delete(Quote).where(Quote.member_id == member_id)
    session.execute(gone.execution_options(synchronize_session=False))


@privacy.exporter("bookings")
def exported_bookings(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Booking, Resource.name).join(Resource, Resource.id == Booking.resource_id)
        .where(Booking.member_id == member_id).order_by(Booking.starts_at, Booking.id)
    )  # fmt: skip
    return [
        {
            "id": str(booking.uid),
            "status": booking.status,
            "resource": resource,
            "start": instant(booking.starts_at),
            "end": instant(booking.ends_at),
            "title": booking.title,
            "attendees": booking.attendees,
            "price": {"amount_cents": booking.gross_cents, "currency": booking.currency},
        }
        for booking, resource in rows
    ]


@privacy.exporter("feeds")
def exported_feeds(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    feeds = session.scalars(select(Feed).where(Feed.member_id == member_id).order_by(Feed.id))
    return [{"id": str(feed.uid), "name": feed.name, "scope": feed.scope} for feed in feeds]
