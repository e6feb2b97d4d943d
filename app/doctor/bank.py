"""Bank statements and SEPA files: is every line there, in the books as decided, and every file as it was sealed?"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from app.config import Config
from app.db import raw
from app.doctor.finding import Fault

_LINES = raw("""
    SELECT s.uid, s.lines, s.closing_cents - s.opening_cents AS moved, s.ignored, l.count, l.cents
    FROM bank_statement s CROSS JOIN LATERAL (
        SELECT count(*) AS count, coalesce(sum(cents), 0) AS cents FROM bank_line WHERE statement_id = s.id) AS l
    WHERE s.lines <> l.count OR (s.ignored = 0 AND s.closing_cents - s.opening_cents <> l.cents) ORDER BY s.id LIMIT 1
""")
_MATCHED = raw("""
    SELECT l.uid FROM bank_line l LEFT JOIN payment p ON p.id = l.payment_id
    LEFT JOIN posting b ON b.operator_id = l.operator_id AND b.key = 'bank:' || l.uid
    LEFT JOIN LATERAL (SELECT sum(cents) AS cents FROM ledger_entry
                       WHERE posting_id = b.id AND account = 'bank') AS posted ON true
    WHERE l.state = 'matched' AND CASE
        WHEN l.rule IN ('bank_fee', 'interest', 'payout') THEN posted.cents IS DISTINCT FROM l.cents
        WHEN l.rule IN ('own_transfer', 'own_file', 'returned_transfer', 'returned') THEN b.id IS NOT NULL
        ELSE p.settled_cents IS DISTINCT FROM l.cents OR p.source <> 'bank:' || l.uid END
    ORDER BY l.id LIMIT 1
""")
_FILES = raw("""
    SELECT f.uid FROM sepa_file f CROSS JOIN LATERAL (
        SELECT count(*) AS items, coalesce(sum(cents), 0) AS cents FROM sepa_item WHERE file_id = f.id) AS i
    WHERE f.cancelled_at IS NULL AND (i.items <> f.items OR i.cents <> f.cents)
       OR f.cancelled_at IS NOT NULL AND i.items > 0
    ORDER BY f.id LIMIT 1
""")
_SEALED = raw("SELECT uid, sha256 FROM sepa_file WHERE cancelled_at IS NULL ORDER BY id")
_COUNT = raw("SELECT count(*) FROM bank_line")


def bank_check(config: Config, connection: Connection) -> str:
    """Matched, proposed, open and dismissed lines are what was imported, to the cent; files are as they were sealed."""
    from app.billing.papers import files

    if wrong := connection.execute(_LINES).one_or_none():
        raise Fault(
            f"bank statement {wrong.uid} has {wrong.count} lines of {wrong.cents} cents, {wrong.lines} were imported: "
            "one of the two was changed"
        )
    if (uid := connection.execute(_MATCHED).scalar_one_or_none()) is not None:
        raise Fault(f"bank line {uid} is not what the books took it for: one of the two was changed")
    if (uid := connection.execute(_FILES).scalar_one_or_none()) is not None:
        raise Fault(f"SEPA file {uid} is not the sum of its items: one of the two was changed")
    sealed = connection.execute(_SEALED).all()
    for row in sealed:
        if files.read(Path(config.home), row.sha256) is None:
            raise Fault(f"SEPA file {row.uid} is not on this host's disk as it was sealed: bring it back from a backup")
    lines = connection.execute(_COUNT).scalar_one()
    return f"{lines} lines of statements are in the books as they were decided, {len(sealed)} SEPA files as sealed"
