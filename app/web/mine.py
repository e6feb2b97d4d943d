"""What a member has: bookings that lie ahead or lately were, and calendar addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.booking.describing import money
from app.booking.fees import OPEN, fee
from app.booking.models import Booking, Feed, Resource
from app.network.models import Space
from app.web.visits import Visit

LOOK_BACK = timedelta(days=30)
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Own:
    """A booking as its member sees it, times in the space's zone; `price` is its total and what covers it."""

    booking: Booking
    resource: str
    space: Space
    start: datetime
    end: datetime
    ahead: bool
    price: dict[str, Any]
    fee: dict[str, Any] | None
    least_fee: dict[str, Any] | None

    @property
    def can_cancel(self) -> bool:
        return self.ahead and self.booking.status in OPEN

    @property
    def can_accept(self) -> bool:
        return self.ahead and self.booking.status == "held"


def own_bookings(visit: Visit) -> list[Own]:
    """By start; those of the last month and all that lie ahead."""
    rows = visit.session.execute(
        select(Booking, Resource.name, Space)
        .join(Resource, Resource.id == Booking.resource_id)
        .join(Space, Space.id == Booking.space_id)
        .where(Booking.member_id == visit.member.member_id, Booking.ends_at > visit.now - LOOK_BACK)
        .order_by(Booking.starts_at, Booking.id)
        .limit(MOST_SHOWN)
    )
    return [_own(booking, resource, space, visit.now) for booking, resource, space in rows]


def _own(booking: Booking, resource: str, space: Space, now: datetime) -> Own:
    zone = ZoneInfo(space.timezone)
    owed = fee(booking, now=now) if booking.status in OPEN else 0
    least = booking.terms.get("least_fee_cents", 0)
    return Own(
        booking=booking,
        resource=resource,
        space=space,
        start=booking.starts_at.astimezone(zone),
        end=booking.ends_at.astimezone(zone),
        ahead=booking.ends_at > now,
        price={"total": money(booking.gross_cents, booking.currency), "cover": booking.cover},
        fee=money(owed, booking.currency) if owed else None,
        least_fee=money(least, booking.currency) if least else None,
    )


def live_feeds(visit: Visit) -> Sequence[Feed]:
    own = select(Feed).where(Feed.member_id == visit.member.member_id, Feed.revoked_at.is_(None))
    return visit.session.scalars(own.order_by(Feed.id)).all()
