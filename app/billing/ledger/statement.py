"""The statement of an account: its lines in order of day, each with the balance after it; page by page."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.ledger.balances import Moved, moved_before
from app.db import Statement


class Place(NamedTuple):
    """Where a line stands: lines after it come later."""

    day: date
    posting_id: int = 0
    no: int = 0


class StatementLine(NamedTuple):
    """Cents with debit > 0, credit < 0; `balance` is the account's (or the party's on it) after this line."""

    place: Place
    posting: UUID
    kind: str
    key: str
    document: str | None
    party: UUID | None
    cents: int
    balance: int


_PARTY = "AND e.party_id = :party_id"
_LINES = """
    SELECT e.day, e.posting_id, e.no, e.cents, p.uid, p.kind, p.key, p.document, party.uid AS party
    FROM ledger_entry e JOIN posting p ON p.id = e.posting_id LEFT JOIN party ON party.id = e.party_id
    WHERE e.operator_id = :operator_id AND e.account = :account {party} AND e.day <= :until
      AND (e.day, e.posting_id, e.no) > (:day, :posting_id, :no)
    ORDER BY e.day, e.posting_id, e.no LIMIT :limit
"""
_SAME_DAY = """
    SELECT coalesce(sum(e.cents), 0)::bigint AS cents FROM ledger_entry e
    WHERE e.operator_id = :operator_id AND e.account = :account {party} AND e.day = :day
      AND (e.posting_id, e.no) <= (:posting_id, :no)
"""
_ALL = {name: Statement(sql.format(party="")) for name, sql in (("lines", _LINES), ("same_day", _SAME_DAY))}
_ONE = {name: Statement(sql.format(party=_PARTY)) for name, sql in (("lines", _LINES), ("same_day", _SAME_DAY))}


def statement(
    session: Session, operator_id: int, account: str, *, after: Place, until: date, limit: int,
    party_id: int | None = None,
) -> list[StatementLine]:  # fmt: skip
    """At most `limit` lines after a place, until the end of `until`. A statement begins after `Place(first day)`.

    The caller has checked that the operator's books may be seen.
    """
    statements = _ALL if party_id is None else _ONE
    asked = {"operator_id": operator_id, "account": account, "party_id": party_id, **after._asdict()}
    running = _balance_at(session, statements["same_day"], asked, after)
    found = []
    for row in statements["lines"].run(session, {**asked, "until": until, "limit": limit}):
        running += row.cents
        found.append(_line(row, running))
    return found


def _balance_at(session: Session, same_day: Statement, asked: dict[str, Any], place: Place) -> int:
    """The balance after the line at `place`."""
    account = asked["account"]
    (moved,) = moved_before(session, asked["operator_id"], [place.day], accounts=[account], party_id=asked["party_id"])
    return moved.get(account, Moved()).balance + int(same_day.run(session, asked).one().cents)


def _line(row: Any, running: int) -> StatementLine:
    place = Place(row.day, row.posting_id, row.no)
    return StatementLine(place, row.uid, row.kind, row.key, row.document, row.party, row.cents, running)
