"""The calendar worker: every change of a booking reaches the feeds it is in."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from sqlalchemy.orm import Session

from app.booking.calendar import fragments
from app.config import Config
from app.events.envelope import Envelope
from workers.registry import Consumer, register


@cache
def public_url() -> str:
    return Config.from_env().public_url


def refresh_fragment(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Rewrite what calendars show of the booking that the event is about. Two statements, whatever the event."""
    fragments.refresh(session, booking_uid=envelope.aggregate_id, public_url=public_url(), now=now)


CALENDAR = register(
    Consumer(
        name="calendar",
        aggregate_types=("booking",),
        durable=False,
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
