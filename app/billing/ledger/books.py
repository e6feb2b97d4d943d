"""An operator's books as lines for an accountant: in the order they were written, numbered without a gap, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.orm import Session, sessionmaker

from app.billing.ledger.accounts import ACCOUNTS
from app.db import TenantSession, raw
from app.network.models import Operator
from app.tenancy import Scope

FETCHED = 1000  # rows at a time
RESULT = ("income", "expense")  # kinds of account that begin each year at zero

_ZONE = raw("SELECT min(timezone) FROM space WHERE operator_id = :operator_id")
_LINES = raw("""
    SELECT p.id, p.uid, p.kind, p.key, p.document, p.day, CAST(p.created_at AT TIME ZONE :zone AS date) AS written,
           e.account, e.cents, e.party_id, party.name AS party, party.vat_number
    FROM posting p JOIN ledger_entry e ON e.posting_id = p.id LEFT JOIN party ON party.id = e.party_id
    WHERE p.operator_id = :operator_id AND p.day >= :since AND p.day <= :until
    ORDER BY p.created_at, p.id, e.no
""")
_OPENING = raw("""
    SELECT e.account, e.party_id, party.name AS party, party.vat_number, sum(e.cents)::bigint AS cents
    FROM ledger_entry e LEFT JOIN party ON party.id = e.party_id
    WHERE e.operator_id = :operator_id AND e.day < :since
    GROUP BY e.account, e.party_id, party.name, party.vat_number HAVING sum(e.cents) <> 0
    ORDER BY e.account, e.party_id
""")


class BookLine(NamedTuple):
    """A line of the books. `number` is its posting's within the export, from 1; cents: debit > 0, credit < 0.

    `customer` is the code of an auxiliary account; `reference` says which posting it is, also in another export.
    """

    number: int
    kind: str
    day: date
    written: date
    account: str
    customer: str | None
    customer_name: str | None
    customer_vat: str | None
    document: str | None
    reference: str
    cents: int


@contextmanager
def one_instant(make_session: sessionmaker[TenantSession], scope: Scope) -> Iterator[TenantSession]:
    """A session in which everything read is of one instant, however long the reading takes."""
    with make_session() as session:
        session.info["scope"] = scope
        with session.begin():
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session


def book_lines(
    database: Session | Connection, operator: Operator, *, since: date, until: date, opening: bool
) -> Iterator[BookLine]:
    """The lines of days `since` to `until`, after the balances brought forward from before, if `opening`."""
    brought = list(_brought_forward(database, operator, since)) if opening else []
    yield from brought
    zone = database.execute(_ZONE, {"operator_id": operator.id}).scalar() or "Europe/Brussels"
    values = {"operator_id": operator.id, "since": since, "until": until, "zone": zone}
    number, posting = int(bool(brought)), None
    for row in database.execute(_LINES, values, execution_options={"yield_per": FETCHED}):
        number += row.id != posting
        posting = row.id
        yield BookLine(
            number, row.kind, row.day, row.written, row.account, *_customer(row), row.document, row.key, row.cents
        )


def _brought_forward(database: Session | Connection, operator: Operator, since: date) -> Iterator[BookLine]:
    """One posting of the balances before `since`: of income and expenses the result alone, on `retained`."""
    result = 0
    for row in database.execute(_OPENING, {"operator_id": operator.id, "since": since}):
        if ACCOUNTS[row.account].kind in RESULT or row.account == "retained":
            result += row.cents
        else:
            yield _opening(since, row.account, _customer(row), row.cents)
    if result:
        yield _opening(since, "retained", (None, None, None), result)


def _opening(since: date, account: str, customer: tuple[str | None, str | None, str | None], cents: int) -> BookLine:
    return BookLine(1, "opening", since, since, account, *customer, None, f"opening:{since.isoformat()}", cents)


def _customer(row: Any) -> tuple[str | None, str | None, str | None]:
    """Its code, short enough for every package's auxiliary accounts; its name and VAT number as they are now."""
    if row.party_id is None:
        return None, None, None
    return f"C{row.party_id:07d}", row.party, row.vat_number
