"""What happens to a booking, and the calendar worker being told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import icalendar
from sqlalchemy.orm import sessionmaker

from app.booking.models import Booking
from app.db import TenantSession, transaction
from app.events.envelope import Envelope
from app.ids import new_id
from app.tenancy import SYSTEM
from workers.calendar import refresh_fragment


def change(make_session: sessionmaker[TenantSession], booking: Booking, *, now: datetime, **values: Any) -> None:
    """Change the row as the booking services do: the revision grows, `changed_at` says when."""
    with transaction(make_session, SYSTEM) as session:
        row = session.get_one(Booking, booking.id)
        for name, value in values.items():
            setattr(row, name, value)
        row.revision += 1
        row.changed_at = now


def tell(
    make_session: sessionmaker[TenantSession],
    booking_uid: UUID,
    *,
    now: datetime,
    event: str = "booking.moved",
    seq: int = 1,
) -> None:
    """The calendar worker handles an event about the booking, in a transaction of its own."""
    envelope = Envelope(new_id(), event, 1, "booking", booking_uid, seq, now, None, {})
    with transaction(make_session, SYSTEM) as session:
        refresh_fragment(session, envelope, now=now)


def events(octets: bytes) -> list[Any]:
    """The VEVENTs of a calendar, as icalendar reads them."""
    return icalendar.Calendar.from_ical(octets).walk("VEVENT")
