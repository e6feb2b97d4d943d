"""What accumulates and is of no more use: removed every hour, in small batches."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.db import raw
from app.events.models import Due
from app.timekeeper import due, schedule

KIND = "housekeeping"
SUBJECT = 0  # there is one house
EVERY = timedelta(hours=1)
KEEP_ANSWERS = timedelta(hours=24)  # an Idempotency-Key is honoured that long
KEEP_EXPIRED_TOKENS = timedelta(days=30)
KEEP_EXPIRED_QUOTES = timedelta(hours=1)  # so long it can be said that one has expired
BATCH = 5000

_ANSWERS = raw(f"""
    DELETE FROM idempotent_answer WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM idempotent_answer WHERE created_at < :before LIMIT {BATCH}))
""")
_TOKENS = raw(f"""
    DELETE FROM api_token WHERE id = ANY(ARRAY(SELECT id FROM api_token WHERE expires_at < :before LIMIT {BATCH}))
""")


_QUOTES = raw(f"""
    DELETE FROM quote WHERE id = ANY(ARRAY(SELECT id FROM quote WHERE expires_at < :before LIMIT {BATCH}))
""")


@due(KIND)
def keep_house(session: Session, _subject_id: int, *, now: datetime) -> None:
    """Remove stored answers after 24 hours, tokens 30 days and quotes an hour after they expired; again in an hour, or
    at once when a batch was full."""
    answers = session.execute(_ANSWERS, {"before": now - KEEP_ANSWERS})
    tokens = session.execute(_TOKENS, {"before": now - KEEP_EXPIRED_TOKENS})
    quotes = session.execute(_QUOTES, {"before": now - KEEP_EXPIRED_QUOTES})
    full = BATCH in (answers.rowcount, tokens.rowcount, quotes.rowcount)  # type: ignore[attr-defined]
    schedule(session, KIND, SUBJECT, now + (timedelta(seconds=1) if full else EVERY))


def begin_housekeeping(session: Session, *, now: datetime) -> None:
    """Put housekeeping on the timekeeper's list; nothing changes when it is there."""
    if session.get(Due, (KIND, SUBJECT)) is None:
        schedule(session, KIND, SUBJECT, now)
