"""Checkpoints: what each month moved on each account and for each party on it, rolled up of entries.

Every posting is in the checkpoints or in `ledger_unrolled`, never in both or in neither: it is entered there by trigger
as it is written, and taken out in the statement that adds its entries up. So a posting that comes late, or is dated in
a month long past, is never missed, however its transaction overlaps others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db import raw
from app.events.models import Due
from app.timekeeper import due, schedule

KIND = "ledger.roll_up"
SUBJECT = 0  # all books
EVERY = timedelta(hours=1)
BATCH = 5000  # postings

_SUMS = """
    SELECT e.operator_id, e.account, CASE WHEN grouping(e.party_id) = 1 THEN 0 ELSE e.party_id END AS party_id,
           date_trunc('month', e.day)::date AS month, sum(greatest(e.cents, 0)) AS debit_cents,
           sum(greatest(-e.cents, 0)) AS credit_cents, count(*) AS lines
    FROM {source}
    GROUP BY GROUPING SETS (
        (e.operator_id, e.account, date_trunc('month', e.day)),
        (e.operator_id, e.account, date_trunc('month', e.day), e.party_id))
    HAVING grouping(e.party_id) = 1 OR e.party_id IS NOT NULL
"""
# In one order: two that roll up at once wait for each other, in one direction.
_ROLL_UP = raw(f"""
    WITH taken AS (
        DELETE FROM ledger_unrolled WHERE (operator_id, posting_id) IN (
            SELECT operator_id, posting_id FROM ledger_unrolled
            WHERE CAST(:operator_id AS bigint) IS NULL OR operator_id = :operator_id
            ORDER BY operator_id, posting_id LIMIT {BATCH} FOR UPDATE SKIP LOCKED)
        RETURNING posting_id
    ), added AS (
        INSERT INTO ledger_checkpoint AS c (operator_id, account, party_id, month, debit_cents, credit_cents, lines)
        SELECT * FROM ({_SUMS.format(source="taken JOIN ledger_entry e ON e.posting_id = taken.posting_id")}) sums
        ORDER BY operator_id, account, party_id, month
        ON CONFLICT (operator_id, account, party_id, month) DO UPDATE SET
            debit_cents = c.debit_cents + excluded.debit_cents, credit_cents = c.credit_cents + excluded.credit_cents,
            lines = c.lines + excluded.lines
    )
    SELECT count(*) FROM taken
""")
_WRONG = raw(f"""
    SELECT operator_id, account, party_id, month, c.debit_cents AS kept_debit, s.debit_cents AS debit,
           c.credit_cents AS kept_credit, s.credit_cents AS credit
    FROM (SELECT * FROM ledger_checkpoint WHERE CAST(:operator_id AS bigint) IS NULL OR operator_id = :operator_id) c
    FULL JOIN ({
    _SUMS.format(
        source='''
        ledger_entry e LEFT JOIN ledger_unrolled u ON u.operator_id = e.operator_id AND u.posting_id = e.posting_id
        WHERE u.posting_id IS NULL AND (CAST(:operator_id AS bigint) IS NULL OR e.operator_id = :operator_id)'''
    )
}) s
      USING (operator_id, account, party_id, month)
    WHERE (c.debit_cents, c.credit_cents, c.lines) IS DISTINCT FROM (s.debit_cents, s.credit_cents, s.lines)
    ORDER BY operator_id, account, party_id, month
""")
_FORGET = raw("DELETE FROM ledger_checkpoint WHERE operator_id = :operator_id")
_NOTE_AGAIN = raw("""
    INSERT INTO ledger_unrolled (operator_id, posting_id) SELECT operator_id, id FROM posting
    WHERE operator_id = :operator_id ON CONFLICT DO NOTHING
""")


class WrongCheckpoint(NamedTuple):
    """Cents that are kept (None: no row), and those that its entries sum to (None: there are none)."""

    operator_id: int
    account: str
    party_id: int
    month: date
    kept_debit: int | None
    debit: int | None
    kept_credit: int | None
    credit: int | None


def roll_up(session: Session, *, operator_id: int | None = None) -> int:
    """Add up to 5,000 postings to the checkpoints, those of one operator or of all; returns how many."""
    return int(session.execute(_ROLL_UP, {"operator_id": operator_id}).scalar_one())


def wrong_checkpoints(database: Session | Connection, *, operator_id: int | None = None) -> Iterator[WrongCheckpoint]:
    """Those that are not what their entries sum to, by adding up every entry."""
    for row in database.execute(_WRONG, {"operator_id": operator_id}):
        yield WrongCheckpoint(*row)


def remake(session: Session, *, operator_id: int) -> None:
    """Forget an operator's checkpoints; all of its postings are rolled up anew. For checkpoints found wrong."""
    session.execute(_FORGET, {"operator_id": operator_id})
    session.execute(_NOTE_AGAIN, {"operator_id": operator_id})


@due(KIND)
def keep_rolled_up(session: Session, _subject_id: int, *, now: datetime) -> None:
    """Roll up; again in an hour, or at once when a batch was full."""
    full = roll_up(session) == BATCH
    schedule(session, KIND, SUBJECT, now + (timedelta(seconds=1) if full else EVERY))


def begin_rolling_up(session: Session, *, now: datetime) -> None:
    """Put it on the timekeeper's list; nothing changes when it is there."""
    if session.get(Due, (KIND, SUBJECT)) is None:
        schedule(session, KIND, SUBJECT, now)
