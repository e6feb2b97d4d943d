"""Money: is every posting, document, charge and closing as it was written, and is every closed month archived?

Reads all of the books, some hundred rows at a time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from app.config import Config
from app.db import TenantSession, raw
from app.doctor.finding import Fault
from app.tenancy import SYSTEM

LONGEST_UNARCHIVED = timedelta(days=1)
AT_A_TIME = 2000  # documents
Found = TypeVar("Found")

# Lines of documents whose charge says otherwise. Where the price contains VAT, and on credit notes, the odd cents of
# rounding lie with one of the lines.
_CHARGES = raw("""
    SELECT i.number, l->>'charge_id' AS charge
    FROM invoice i CROSS JOIN jsonb_array_elements(CAST(i.snapshot AS jsonb)->'lines') AS l
    LEFT JOIN charge c ON c.uid = CAST(l->>'charge_id' AS uuid)
    WHERE i.id > :after AND i.id <= :until AND (
        c.id IS NULL OR c.invoice_id IS DISTINCT FROM i.id OR c.operator_id <> i.operator_id
        OR c.vat_permille <> CAST(l->'vat'->>'permille' AS int) OR c.vat_category <> l->'vat'->>'category'
        OR c.net_cents + c.vat_cents <> c.gross_cents
        OR abs(CAST(l->>'net_cents' AS bigint) - c.net_cents * CASE i.kind WHEN 'credit_note' THEN -1 ELSE 1 END)
           > CASE WHEN c.includes_vat OR i.kind = 'credit_note' THEN 2 ELSE 0 END)
    ORDER BY i.id LIMIT 1
""")
_STRAY = raw("""
    SELECT c.uid FROM charge c JOIN invoice i ON i.id = c.invoice_id
    WHERE i.id > :after AND i.id <= :until
      AND NOT CAST(i.snapshot AS jsonb)->'lines' @> jsonb_build_array(jsonb_build_object('charge_id', c.uid))
    ORDER BY c.id LIMIT 1
""")
_PAGE = raw("SELECT max(id) FROM (SELECT id FROM invoice WHERE id > :after ORDER BY id LIMIT :limit) AS page")
_COUNTS = raw("""
    SELECT (SELECT count(*) FROM posting) AS postings, (SELECT count(*) FROM invoice) AS documents,
        (SELECT count(*) FROM charge) AS charges, (SELECT count(*) FROM closing) AS closings
""")
_OPERATORS = raw("SELECT DISTINCT operator_id FROM invoice UNION SELECT operator_id FROM invoice_series ORDER BY 1")
_UNARCHIVED = raw("""
    SELECT count(*) AS months, min(to_char(c.last_day, 'YYYY-MM')) AS first FROM closing c
    WHERE c.kind = 'month' AND c.sealed_at < clock_timestamp() - CAST(:longest AS interval)
      AND NOT EXISTS (SELECT FROM sealed_archive a WHERE a.operator_id = c.operator_id AND a.by_itself
                      AND a.month = date_trunc('month', c.last_day)::date)
""")
_ARCHIVES = raw("SELECT path, octets FROM sealed_archive WHERE host = :host AND by_itself ORDER BY id")


def _ledger(connection: Connection) -> str:
    from app.billing.ledger.checkpoints import wrong_checkpoints
    from app.billing.ledger.verifying import verify

    first, count = _first(verify(connection))
    if first:
        raise Fault(
            f"{count} postings are not as they were written: {first.key} of operator {first.operator} is "
            f"{first.wrong}; somebody changed the ledger, bring it back from a backup"
        )
    checkpoint, wrong = _first(wrong_checkpoints(connection))
    if checkpoint:
        raise Fault(
            f"{wrong} sums of the ledger are not what its entries make: a posting was removed, or a sum changed"
        )
    return f"{connection.execute(_COUNTS).one().postings} postings are as they were written, and balance"


def _documents(connection: Connection) -> str:
    from app.billing.invoices.chain import verify_chain

    session = _session(connection)
    operators = connection.execute(_OPERATORS).scalars().all()
    first, count = _first(found for operator_id in operators for found in verify_chain(session, operator_id))
    if first:
        raise Fault(
            f"{count} faults in documents: {first.number} of series {first.series}: {first.what}; "
            "bring it back from a backup"
        )
    return f"{connection.execute(_COUNTS).one().documents} documents: no gap, every hash and sum right"


def _charges(connection: Connection) -> str:
    for page in _pages(connection):
        if found := connection.execute(_CHARGES, page).one_or_none():
            raise Fault(f"charge {found.charge} is not what document {found.number} says of it")
        if (stray := connection.execute(_STRAY, page).scalar_one_or_none()) is not None:
            raise Fault(f"charge {stray} says that it is on a document, which does not know it")
    return f"{connection.execute(_COUNTS).one().charges} charges agree with their documents"


def _pages(connection: Connection) -> Iterator[dict[str, int]]:
    """Ranges of ids that hold some thousand documents each."""
    after = 0
    while (until := connection.execute(_PAGE, {"after": after, "limit": AT_A_TIME}).scalar_one()) is not None:
        yield {"after": after, "until": until}
        after = until


def _closings(connection: Connection) -> str:
    from app.billing.closings.examining import examine

    first, count = _first(examine(_session(connection)))
    if first:
        raise Fault(
            f"{count} faults in closings: {first.kind} {first.number} of {first.operator}: {first.wrong}; "
            "compare with its archive"
        )
    return f"{connection.execute(_COUNTS).one().closings} closings: recomputed, and the same"


def sealed_archives_check(config: Config, connection: Connection) -> str:
    """Is every closed month archived, and are this host's files there?"""
    late = connection.execute(_UNARCHIVED, {"longest": LONGEST_UNARCHIVED}).one()
    if late.months:
        raise Fault(f"{late.months} closed months have no archive, {late.first} first: is there room in {config.home}?")
    rows = connection.execute(_ARCHIVES, {"host": socket.gethostname()}).all()
    for row in rows:
        path = Path(row.path)
        if not path.exists() or path.stat().st_size != row.octets:
            raise Fault(f"the archive {path} is not there as it was written: bring it back from a backup")
    return f"{len(rows)} archives of closed months are here; `passerelle archive verify FILE` reads one"


def _first(faults: Iterator[Found]) -> tuple[Found | None, int]:
    """The first, and how many there are: read to the end, where the server's cursor is closed."""
    first, count = next(faults, None), 0
    if first is not None:
        count = 1 + sum(1 for _ in faults)
    return first, count


def _session(connection: Connection) -> TenantSession:
    session = TenantSession(bind=connection)
    session.info["scope"] = SYSTEM
    return session


BILLING_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [
    ("ledger", _ledger),
    ("documents", _documents),
    ("charges", _charges),
    ("closings", _closings),
]
