"""What workers would do with the demonstration's events at its first start, done while it is loaded.

Its bookings are in calendars from the first request on, and a newcomer's first booking does not wait behind two
thousand old ones. Who listens from now on is not told of them at all.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.calendar import fragments
from app.booking.models import Booking
from app.db import raw

CONSUMER = "calendar"  # as workers/calendar.py calls it

_RECEIPTS = raw("""
    INSERT INTO delivery (consumer, event_id, aggregate_type, aggregate_id, seq, state)
    SELECT :consumer, event_id, aggregate_type, aggregate_id, seq, 'done' FROM outbox WHERE aggregate_type = 'booking'
""")
_CURSORS = raw("""
    INSERT INTO cursor (consumer, aggregate_type, aggregate_id, last_seq)
    SELECT :consumer, aggregate_type, aggregate_id, max(seq) FROM outbox WHERE aggregate_type = 'booking'
    GROUP BY aggregate_type, aggregate_id
""")
_PUBLISHED = raw("UPDATE outbox SET published_at = clock_timestamp(), publish_count = 1")


def tell_calendars(session: Session, *, public_url: str, now: datetime) -> None:
    """Write every booking into its calendars, with the receipts of all events so far. The outbox counts as sent."""
    for uid in session.scalars(select(Booking.uid).order_by(Booking.id)):
        fragments.refresh(session, booking_uid=uid, public_url=public_url, now=now)
    session.execute(_RECEIPTS, {"consumer": CONSUMER})
    session.execute(_CURSORS, {"consumer": CONSUMER})
    session.execute(_PUBLISHED)
