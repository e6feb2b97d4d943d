"""Balances are sums of entries. Whole months come from checkpoints, the rest from the entries themselves: the days of
the month in which a sum ends, and whatever is not rolled up yet. So it is right at any moment, and soon added up.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app.billing.ledger.accounts import ACCOUNTS
from app.db import Statement

NEVER = date(9999, 12, 31)  # after every entry: sums until then are sums of all

# What was moved before day n, in three parts that meet without overlap. `party` is 0 for all.
_PART = """
    SELECT {n} AS n, account, debit_cents AS debit, credit_cents AS credit FROM ledger_checkpoint
    WHERE operator_id = :operator_id AND account = ANY(:accounts) AND party_id = :party_id AND month < :month_{letter}
    UNION ALL
    SELECT {n}, e.account, greatest(e.cents, 0), greatest(-e.cents, 0) FROM ledger_entry e
    WHERE e.operator_id = :operator_id AND e.account = ANY(:accounts) {party}
      AND e.day >= :month_{letter} AND e.day < :day_{letter}
    UNION ALL
    SELECT {n}, e.account, greatest(e.cents, 0), greatest(-e.cents, 0)
    FROM ledger_unrolled u JOIN ledger_entry e ON e.posting_id = u.posting_id
    WHERE u.operator_id = :operator_id AND e.operator_id = :operator_id AND e.account = ANY(:accounts) {party}
      AND e.day < :month_{letter}
"""
_ONE_PARTY = "AND e.party_id = :party_id"


class Moved(NamedTuple):
    """Sums of debits and of credits, both positive cents."""

    debit: int = 0
    credit: int = 0

    @property
    def balance(self) -> int:
        """Debit > 0, credit < 0."""
        return self.debit - self.credit


class TrialRow(NamedTuple):
    """One account in a period: cents, opening and closing with debit > 0 and credit < 0."""

    account: str
    opening: int
    debit: int
    credit: int
    closing: int


def balance(
    session: Session, operator_id: int, account: str, party_id: int | None = None, until: date | None = None
) -> int:
    """Cents on an account, or a party's on it, at the end of `until` (None: of all); debit > 0, credit < 0.

    The caller has checked that the operator's books may be seen.
    """
    (moved,) = moved_before(session, operator_id, [_after(until)], accounts=[account], party_id=party_id)
    return moved.get(account, Moved()).balance


def trial_balance(session: Session, operator_id: int, *, since: date, until: date) -> list[TrialRow]:
    """Every account that has ever moved until the end of `until`, in the order of the plan; the columns sum to zero.

    The caller has checked that the operator's books may be seen.
    """
    before, after = moved_before(session, operator_id, [since, _after(until)])
    return [_row(name, before.get(name, Moved()), after[name]) for name in ACCOUNTS if name in after]


def moved_before(
    session: Session, operator_id: int, days: list[date], *, accounts: Collection[str] = (), party_id: int | None = None
) -> list[dict[str, Moved]]:
    """For each of `days`, what was moved before it, by account; all at one instant, in one statement."""
    statement = sums(len(days), one_party=party_id is not None)
    found: list[dict[str, Moved]] = [{} for _ in days]
    for row in statement.run(session, parameters(operator_id, days, accounts=accounts, party_id=party_id)):
        found[row.n][row.account] = Moved(row.debit, row.credit)
    return found


def parameters(
    operator_id: int, days: list[date], *, accounts: Collection[str] = (), party_id: int | None = None
) -> dict[str, Any]:
    months = {f"month_{_letter(n)}": day.replace(day=1) for n, day in enumerate(days)}
    limits = {f"day_{_letter(n)}": day for n, day in enumerate(days)}
    names = list(accounts or ACCOUNTS)
    return {"operator_id": operator_id, "accounts": names, "party_id": party_id or 0, **months, **limits}


@cache
def sums(count: int, *, one_party: bool) -> Statement:
    """The statement that sums before `count` days, over all parties or for one."""
    party = _ONE_PARTY if one_party else ""
    parts = " UNION ALL ".join(_PART.format(n=n, letter=_letter(n), party=party) for n in range(count))
    return Statement(
        f"SELECT n, account, sum(debit)::bigint AS debit, sum(credit)::bigint AS credit FROM ({parts}) moved"
        " GROUP BY n, account"
    )


def _letter(n: int) -> str:
    return "abc"[n]


def _after(until: date | None) -> date:
    """The day after; sums are taken before it."""
    return NEVER if until is None or until >= NEVER else until + timedelta(days=1)


def _row(name: str, before: Moved, after: Moved) -> TrialRow:
    debit, credit = after.debit - before.debit, after.credit - before.credit
    return TrialRow(name, before.balance, debit, credit, after.balance)
