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

CONSUMER, BILLING = "calendar", "billing"  # as workers/ calls them
# Which of the demonstration's events each has had, by what they are about.
HAD = ((CONSUMER, "booking"), (BILLING, "booking"), (BILLING, "membership"))

_RECEIPTS = raw("""
    INSERT INTO delivery (consumer, event_id, aggregate_type, aggregate_id, seq, state)
    SELECT :consumer, event_id, aggregate_type, aggregate_id, seq, 'done' FROM outbox
    WHERE aggregate_type = :aggregate_type
""")
_CURSORS = raw("""
    INSERT INTO cursor (consumer, aggregate_type, aggregate_id, last_seq)
    SELECT :consumer, aggregate_type, aggregate_id, max(seq) FROM outbox
    WHERE aggregate_type = :aggregate_type GROUP BY aggregate_type, aggregate_id
""")
_PUBLISHED = raw("UPDATE outbox SET published_at = clock_timestamp(), publish_count = 1")


def tell_workers(session: Session, *, public_url: str, now: datetime) -> None:
    """Write every booking into its calendars, and the receipts of all events so far. The outbox counts as sent.

    The papers of its invoices are left to the workers: drawing takes longer than loading may.
    """
    for uid in session.scalars(select(Booking.uid).order_by(Booking.id)):
        fragments.refresh(session, booking_uid=uid, public_url=public_url, now=now)
    for consumer, aggregate_type in HAD:
        for statement in (_RECEIPTS, _CURSORS):
            session.execute(statement, {"consumer": consumer, "aggregate_type": aggregate_type})
    session.execute(_PUBLISHED)
