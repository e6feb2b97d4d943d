"""Writing to the ledger: postings that balance, each once, thousands in three statements.

post(session, [Posting(operator_id=1, day=day, currency="EUR", kind="earn", key=f"earn:{charge.uid}",
                       entries=(Entry("unbilled", 1210, party.id), Entry("revenue_booking", -1000),
                                Entry("vat_pending", -210)), facts={})], now=now)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.ledger.accounts import ACCOUNTS
from app.billing.ledger.canonical import Line, canonical, digest_of
from app.db import Statement
from app.errors import CurrencyMismatch, Problem
from app.ids import new_id


class Unbalanced(Problem):
    """`out_by` cents remain; nothing of the batch was written."""

    code = "posting_unbalanced"
    status = 422
    title = "The entries of a posting must sum to zero."


class UnknownAccount(Problem):
    code = "unknown_account"
    status = 422
    title = "There is no such account, operator or party."


class PostingDiffers(Problem):
    """Its key was posted before with other content: a fault of whoever posts, never to be passed over."""

    code = "posting_differs"
    status = 409
    title = "This was posted before, with other content."


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: debit > 0, credit < 0, in cents. A line of 0 says nothing and is not written."""

    account: str
    cents: int
    party_id: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction of an operator's books. `key` names what it posts, once per operator: `charge:<uid>`, ...

    `facts` are JSON of ids, codes and integers, without names; `document` is the number of the document it comes from.
    """

    operator_id: int
    day: date
    currency: str
    kind: str
    key: str
    entries: tuple[Entry, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    document: str | None = None

    @property
    def lines(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.cents)


_NAMES = Statement("""
    SELECT 'operator' AS kind, id, uid, currency FROM operator WHERE id = ANY(:operator_ids)
    UNION ALL SELECT 'party', id, uid, NULL FROM party WHERE id = ANY(:party_ids)
""")
# In the order of the keys: two that post the same at once wait for each other, in one direction.
_OPEN = Statement("""
    INSERT INTO posting (uid, operator_id, day, currency, kind, key, facts, document, digest, created_at)
    SELECT p.uid, p.operator_id, p.day, p.currency, p.kind, p.key, p.facts::jsonb, p.document, p.digest, :now
    FROM unnest(:uids::uuid[], :operator_ids::bigint[], :days::date[], :currencies::text[], :kinds::text[],
                :keys::text[], :facts::text[], :documents::text[], :digests::bytea[])
         AS p(uid, operator_id, day, currency, kind, key, facts, document, digest)
    ORDER BY p.operator_id, p.key
    ON CONFLICT (operator_id, key) DO NOTHING RETURNING id, operator_id, key
""")
_DIFFERENT = Statement("""
    SELECT p.operator_id, p.key FROM posting p
    JOIN unnest(:operator_ids::bigint[], :keys::text[], :digests::bytea[]) AS given(operator_id, key, digest)
      ON given.operator_id = p.operator_id AND given.key = p.key
    WHERE given.digest <> p.digest ORDER BY p.operator_id, p.key LIMIT 1
""")
_ENTRIES = Statement("""
    INSERT INTO ledger_entry (posting_id, no, operator_id, day, account, party_id, cents)
    SELECT * FROM unnest(:posting_ids::bigint[], :numbers::int[], :operator_ids::bigint[], :days::date[],
                         :accounts::text[], :party_ids::bigint[], :cents::bigint[])
""")

Digested = tuple[Posting, bytes]


def post(session: Session, postings: Sequence[Posting], *, now: datetime) -> int:
    """Write what is not written yet; returns how many were new. A posting without a line other than 0 is none.

    The same key with the same content again changes nothing. Raises PostingDiffers when its content is another,
    Unbalanced, UnknownAccount, and CurrencyMismatch for a currency other than the operator's.
    """
    postings = [posting for posting in postings if posting.lines]
    if not postings:
        return 0
    for posting in postings:
        _check(posting)
    batch = _distinct(_digested(session, postings))
    opened = {(row.operator_id, row.key): row.id for row in _open(session, batch, now)}
    known = [each for each in batch if (each[0].operator_id, each[0].key) not in opened]
    if known:
        _refuse_different(session, known)
    if opened:
        _write_entries(session, [posting for posting, _ in batch], opened)
    return len(opened)


def _check(posting: Posting) -> None:
    """Raises Unbalanced, UnknownAccount; TypeError where cents are no whole number."""
    for line in posting.lines:
        if type(line.cents) is not int:
            raise TypeError(f"cents must be an int, not {type(line.cents).__name__}")
        if line.account not in ACCOUNTS:
            raise UnknownAccount(account=line.account, key=posting.key)
    if out_by := sum(line.cents for line in posting.lines):
        raise Unbalanced(key=posting.key, out_by=out_by)


def _digested(session: Session, postings: Sequence[Posting]) -> Iterable[Digested]:
    operators, parties = _names(session, postings)
    for posting in postings:
        uid, currency = operators.get(posting.operator_id, (None, None))
        if uid is None or currency is None:
            raise UnknownAccount(operator_id=posting.operator_id, key=posting.key)
        if posting.currency != currency:
            raise CurrencyMismatch(expected=currency, given=posting.currency, key=posting.key)
        yield posting, _digest(posting, uid, parties)


def _names(session: Session, postings: Sequence[Posting]) -> tuple[dict[int, tuple[UUID, str]], dict[int, UUID]]:
    """Operators (public id, currency) and parties (public id) by internal id."""
    ids = {line.party_id for posting in postings for line in posting.lines if line.party_id is not None}
    wanted = {"operator_ids": list({posting.operator_id for posting in postings}), "party_ids": list(ids)}
    rows = _NAMES.run(session, wanted).fetchall()
    operators = {row.id: (row.uid, row.currency) for row in rows if row.kind == "operator"}
    return operators, {row.id: row.uid for row in rows if row.kind == "party"}


def _digest(posting: Posting, operator: UUID, parties: dict[int, UUID]) -> bytes:
    lines = [Line(line.account, _party(line, parties, posting.key), line.cents) for line in posting.lines]
    said = canonical(
        operator=operator, day=posting.day, currency=posting.currency, kind=posting.kind, key=posting.key,
        document=posting.document, facts=posting.facts, lines=lines,
    )  # fmt: skip
    return digest_of(said)


def _party(line: Entry, parties: dict[int, UUID], key: str) -> UUID | None:
    if line.party_id is None:
        return None
    if line.party_id not in parties:
        raise UnknownAccount(party_id=line.party_id, key=key)
    return parties[line.party_id]


def _distinct(batch: Iterable[Digested]) -> list[Digested]:
    """Each key once. Raises PostingDiffers when a batch says two things under one key."""
    found: dict[tuple[int, str], Digested] = {}
    for posting, digest in batch:
        _, before = found.setdefault((posting.operator_id, posting.key), (posting, digest))
        if before != digest:
            raise PostingDiffers(key=posting.key, operator_id=posting.operator_id)
    return list(found.values())


def _open(session: Session, batch: Sequence[Digested], now: datetime) -> list[Any]:
    postings = [posting for posting, _ in batch]
    return _OPEN.run(
        session,
        {
            "uids": [new_id() for _ in batch],
            "operator_ids": [posting.operator_id for posting in postings],
            "days": [posting.day for posting in postings],
            "currencies": [posting.currency for posting in postings],
            "kinds": [posting.kind for posting in postings],
            "keys": [posting.key for posting in postings],
            "facts": [json.dumps(posting.facts, ensure_ascii=False) for posting in postings],
            "documents": [posting.document for posting in postings],
            "digests": [digest for _, digest in batch],
            "now": now,
        },
    ).fetchall()


def _refuse_different(session: Session, known: Sequence[Digested]) -> None:
    given = {
        "operator_ids": [posting.operator_id for posting, _ in known],
        "keys": [posting.key for posting, _ in known],
        "digests": [digest for _, digest in known],
    }
    if different := _DIFFERENT.run(session, given).fetchone():
        raise PostingDiffers(key=different.key, operator_id=different.operator_id)


def _write_entries(session: Session, postings: Sequence[Posting], opened: dict[tuple[int, str], int]) -> None:
    rows = [
        (opened[posting.operator_id, posting.key], no, posting.operator_id, posting.day, *_columns(line))
        for posting in postings
        if (posting.operator_id, posting.key) in opened
        for no, line in enumerate(posting.lines, start=1)
    ]
    names = ("posting_ids", "numbers", "operator_ids", "days", "accounts", "party_ids", "cents")
    _ENTRIES.run(session, {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)})


def _columns(line: Entry) -> tuple[str, int | None, int]:
    return line.account, line.party_id, line.cents
