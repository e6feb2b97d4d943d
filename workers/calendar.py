"""The calendar worker: every change of a booking reaches the feeds it is in."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from sqlalchemy.orm import Session

from app.booking.calendar import fragments
from app.config import Config
from app.events.envelope import Envelope
from workers.registry import Consumer, Switching, register

GONE = ("booking.cancelled", "booking.refused", "booking.no_show")


@cache
def public_url() -> str:
    return Config.from_env().public_url


def refresh_fragment(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Rewrite what calendars show of the booking that the event is about. Two statements, whatever the event."""
    gone_at = envelope.occurred_at if envelope.type in GONE else None
    fragments.refresh(session, booking_uid=envelope.aggregate_id, public_url=public_url(), now=now, gone_at=gone_at)


CALENDAR = register(
    Consumer(
        name="calendar",
        aggregate_types=("booking",),
        durable=False,
        blocking=False,  # each event brings the booking as it is by then
        rebuilds=("calendar_fragment",),
        switching=Switching(
            aside=("calendar_stamp",), before=fragments.blank_the_erased, after=fragments.stamp_differences
        ),
        handlers={
            "booking.made": refresh_fragment,
            "booking.moved": refresh_fragment,
            "booking.edited": refresh_fragment,
            "booking.cancelled": refresh_fragment,
            "booking.approved": refresh_fragment,
            "booking.refused": refresh_fragment,
            "booking.accepted": refresh_fragment,
            "booking.checked_in": refresh_fragment,
            "booking.completed": refresh_fragment,
            "booking.no_show": refresh_fragment,
        },
    )
)
