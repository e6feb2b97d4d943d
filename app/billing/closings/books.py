"""Where an operator's books stand: how they are opened, and how the line is drawn that no later row comes before.

Every row that a closing counts (postings, charges, finalised documents) takes, by trigger, the lock of its operator's
books in share until it commits, and is recorded at `bounded_until` at the earliest. Who draws the line takes that lock
alone: it waits for all that were written and not committed, and what comes after is recorded after. So each row lies in
exactly one day, however long its transaction lasted and whatever its clock said.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.billing.closings.days import begin_of, local_day
from app.billing.closings.models import ClosingBook
from app.db import raw, sqlstate

PATIENCE = "1s"  # for writers under way; whoever comes after them waits as long
LOCK_NOT_AVAILABLE = "55P03"

# The same key as in the trigger of migration 0010.
_ALONE = raw("SELECT pg_advisory_xact_lock(hashtextextended('closing_book', :operator_id))")
_PATIENCE = raw(f"SET LOCAL lock_timeout = '{PATIENCE}'")
_USUAL = raw("SELECT set_config('lock_timeout', :usual, true)")
_SHOW = raw("SHOW lock_timeout")

# Operators without books: where their first space is, and when the first thing was recorded of theirs.
_UNOPENED = raw("""
    SELECT o.id, (SELECT s.timezone FROM space s WHERE s.operator_id = o.id ORDER BY s.id LIMIT 1) AS timezone
    FROM operator o
    WHERE NOT EXISTS (SELECT FROM closing_book b WHERE b.operator_id = o.id)
      AND EXISTS (SELECT FROM space s WHERE s.operator_id = o.id)
    ORDER BY o.id LIMIT :limit
""")
_FIRST = raw("""
    SELECT least((SELECT min(created_at) FROM posting WHERE operator_id = :operator_id),
                 (SELECT min(created_at) FROM charge WHERE operator_id = :operator_id),
                 (SELECT min(finalised_at) FROM invoice WHERE operator_id = :operator_id))
""")


def open_books(session: Session, *, now: datetime, limit: int) -> list[ClosingBook]:
    """Open the books of operators that have a space and no books yet, at most `limit`, under their locks.

    The first day is that of the first thing recorded, or today. Left for later is whose writers are busy.
    """
    opened = []
    for row in session.execute(_UNOPENED, {"limit": limit}).all():
        if not lock(session, row.id):
            continue
        zone = ZoneInfo(row.timezone)
        first: datetime | None = session.execute(_FIRST, {"operator_id": row.id}).scalar_one()
        begins_on = local_day(min(first or now, now), zone)
        opened.append(_book(row.id, zone, begins_on))
    session.add_all(opened)
    session.flush()
    return opened


def _book(operator_id: int, zone: ZoneInfo, begins_on: date) -> ClosingBook:
    begins_at = begin_of(begins_on, zone)
    return ClosingBook(operator_id=operator_id, timezone=zone.key, begins_on=begins_on, bounded_until=begins_at)


def book_of(session: Session, operator_id: int) -> ClosingBook | None:
    """Locked: of two who close, one waits."""
    mine = select(ClosingBook).filter_by(operator_id=operator_id)
    return session.scalars(mine.with_for_update(key_share=True)).one_or_none()


def bound(session: Session, book: ClosingBook, at: datetime) -> bool:
    """Draw the line at `at`; False where writers are under way for longer than is good to wait."""
    if not lock(session, book.operator_id):
        return False
    book.bounded_until = at
    session.flush()
    return True


def lock(session: Session, operator_id: int) -> bool:
    """The lock of an operator's books, alone, until the transaction ends; False when it cannot be had now."""
    usual = session.execute(_SHOW).scalar_one()
    try:
        with session.begin_nested():
            session.execute(_PATIENCE)
            session.execute(_ALONE, {"operator_id": operator_id})
            session.execute(_USUAL, {"usual": usual})
    except DBAPIError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True
