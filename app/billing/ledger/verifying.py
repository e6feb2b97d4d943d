"""Reading the ledger back, as canonical postings; and finding what was changed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.billing.ledger.canonical import Line, canonical, digest_of
from app.db import raw

FETCHED = 1000  # rows at a time

_POSTINGS = raw("""
    SELECT p.id, p.uid, o.uid AS operator, p.day, p.currency, p.kind, p.key, p.document, p.facts, p.digest,
           p.created_at, e.account, e.cents, party.uid AS party,
           e.operator_id <> p.operator_id OR e.day <> p.day OR o.currency <> p.currency AS astray
    FROM posting p JOIN operator o ON o.id = p.operator_id
    LEFT JOIN ledger_entry e ON e.posting_id = p.id LEFT JOIN party ON party.id = e.party_id
    WHERE (CAST(:operator_id AS bigint) IS NULL OR p.operator_id = :operator_id)
      AND p.day >= :since AND p.day <= :until
    ORDER BY p.id, e.no
""")

_HEADLESS = raw("""
    SELECT coalesce(CAST(o.uid AS text), '') AS operator, e.posting_id
    FROM ledger_entry e LEFT JOIN operator o ON o.id = e.operator_id
    WHERE (CAST(:operator_id AS bigint) IS NULL OR e.operator_id = :operator_id) AND e.day >= :since AND e.day <= :until
      AND NOT EXISTS (SELECT FROM posting p WHERE p.id = e.posting_id)
    GROUP BY o.uid, e.posting_id ORDER BY e.posting_id
""")


class Stored(NamedTuple):
    """A posting as it is in the database: what it says (canonical), and the digest of what it said when written."""

    id: int
    uid: UUID
    created_at: datetime
    said: dict[str, Any]
    digest: bytes
    astray: bool  # an entry of it names another operator or day, or its currency is not the operator's


class LedgerFault(NamedTuple):
    """A posting that is not as it was written, and what is wrong with it: changed, unbalanced, empty, astray, or
    without its header."""

    operator: str
    posting: UUID | None
    key: str
    wrong: str


def postings(
    database: Session | Connection,
    *,
    operator_id: int | None = None,
    since: date = date.min,
    until: date = date.max,
) -> Iterator[Stored]:
    """Stored postings of days `since` to `until` in the order they were written, in constant memory."""
    values = {"operator_id": operator_id, "since": since, "until": until}
    rows = database.execute(_POSTINGS, values, execution_options={"yield_per": FETCHED})
    for _, lines in groupby(rows, attrgetter("id")):
        yield _stored(list(lines))


def verify(
    database: Session | Connection, *, operator_id: int | None = None, since: date = date.min, until: date = date.max
) -> Iterator[LedgerFault]:
    """Every posting whose digest is no longer that of what it says, or that does not balance; nothing when all is well.

    What a posting says includes each cent, account, party, day, key and fact. A posting that was removed altogether is
    found by checkpoints, closings and archives.
    """
    yield from faults(postings(database, operator_id=operator_id, since=since, until=until))
    yield from headless(database, operator_id=operator_id, since=since, until=until)


def headless(
    database: Session | Connection, *, operator_id: int | None = None, since: date = date.min, until: date = date.max
) -> Iterator[LedgerFault]:
    """Entries whose posting is not there."""
    for row in database.execute(_HEADLESS, {"operator_id": operator_id, "since": since, "until": until}):
        yield LedgerFault(row.operator, None, f"number {row.posting_id}", "without its header")


def faults(stored: Iterable[Stored]) -> Iterator[LedgerFault]:
    for each in stored:
        if wrong := _wrong(each):
            yield LedgerFault(each.said["operator"], each.uid, each.said["key"], wrong)


def _wrong(stored: Stored) -> str | None:
    entries = stored.said["entries"]
    if not entries:
        return "empty"
    if sum(entry["cents"] for entry in entries):
        return "unbalanced"
    if _digest(stored.said) != stored.digest:
        return "changed"
    return "astray" if stored.astray else None


def _digest(said: dict[str, Any]) -> bytes | None:
    """None for what could never have been posted."""
    try:
        return digest_of(said)
    except TypeError:
        return None


def _stored(rows: list[Any]) -> Stored:
    first = rows[0]
    lines = [Line(row.account, row.party, row.cents) for row in rows if row.account is not None]
    said = canonical(
        operator=first.operator, day=first.day, currency=first.currency, kind=first.kind, key=first.key,
        document=first.document, facts=first.facts, lines=lines,
    )  # fmt: skip
    return Stored(first.id, first.uid, first.created_at, said, first.digest, any(row.astray for row in rows))
