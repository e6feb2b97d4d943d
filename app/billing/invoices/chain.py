"""Whether an operator's documents are as they were finalised: hashes, links, numbers and columns, recomputed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.canonical import GENESIS, NotCanonical, canonical, digest
from app.billing.invoices.models import Invoice, InvoiceSeries
from app.network.models import Operator

BATCH = 500

# Columns of a document, and where its snapshot says the same.
REPEATED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("uid", ("id",)),
    ("series", ("series",)),
    ("sequence", ("sequence",)),
    ("number", ("number",)),
    ("issued_on", ("issued_on",)),
    ("due_on", ("due_on",)),
    ("currency", ("currency",)),
    ("net_cents", ("totals", "net_cents")),
    ("vat_cents", ("totals", "vat_cents")),
    ("gross_cents", ("totals", "gross_cents")),
    ("communication", ("payment", "communication")),
    ("previous_hash", ("previous_hash",)),
)


class Fault(NamedTuple):
    """Something that is not as it was finalised: the document's number, or its place, and what is wrong."""

    series: str
    number: str
    what: str


@dataclass(slots=True)
class _Link:
    """The document before, in a series."""

    sequence: int = 0
    hash: str = GENESIS


def verify_chain(session: Session, operator: Operator | int) -> Iterator[Fault]:
    """Every fault of an operator's documents, series by series; none where all is as it was. Reads in batches.

    Found are: a changed snapshot, column, hash or link; a number left out, or used twice; documents removed from the
    end of a series; sums that do not add up.
    """
    operator_id = operator if isinstance(operator, int) else operator.id
    counters = {
        each.series: each
        for each in session.scalars(select(InvoiceSeries).where(InvoiceSeries.operator_id == operator_id))
    }
    written = session.scalars(select(Invoice.series).where(Invoice.operator_id == operator_id).distinct())
    for series in sorted({*counters, *written}):
        last = _Link()
        for row in _documents(session, operator_id, series):
            for what in _faults(row, last):
                yield Fault(series, row.number, what)
            last = _Link(row.sequence, row.hash)
        yield from _end(series, counters.get(series), last)


def _documents(session: Session, operator_id: int, series: str) -> Iterator[Any]:
    """The documents of a series in order, a batch in memory at a time."""
    columns = [Invoice.kind, Invoice.snapshot, Invoice.hash, *(getattr(Invoice, name) for name, _ in REPEATED)]
    wanted = select(*columns).where(Invoice.operator_id == operator_id, Invoice.series == series)
    after = None
    while True:
        page = wanted if after is None else wanted.where(Invoice.sequence > after)
        rows = session.execute(page.order_by(Invoice.sequence).limit(BATCH)).all()
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1].sequence


def _faults(row: Any, last: _Link) -> Iterator[str]:
    if row.sequence != last.sequence + 1:
        yield f"follows number {last.sequence}: numbers are missing between"
    if row.previous_hash != last.hash:
        yield "does not name the hash of the one before"
    if digest(row.snapshot) != row.hash:
        yield "its content has another hash"
    try:
        content = json.loads(row.snapshot)
        yield from _within(row, content)
    except (ValueError, KeyError, TypeError):
        yield "its content cannot be read"


def _within(row: Any, content: dict[str, Any]) -> Iterator[str]:
    for column, path in REPEATED:
        said: Any = content
        for name in path:
            said = said[name]
        value = getattr(row, column)
        if said != (value if isinstance(value, int) else str(value)):
            yield f"{column} is not what its content says"
    if (content["kind"] == "credit_note") != (row.kind == "credit_note"):
        yield "kind is not what its content says"
    if not _adds_up(content):
        yield "its sums do not add up"
    if _rewritten(content) != row.snapshot:
        yield "its content is not written canonically"


def _adds_up(content: dict[str, Any]) -> bool:
    sums, taxes = content["totals"], content["taxes"]
    return bool(
        sum(line["net_cents"] for line in content["lines"]) == sums["net_cents"]
        and sum(tax["net_cents"] for tax in taxes) == sums["net_cents"]
        and sum(tax["vat_cents"] for tax in taxes) == sums["vat_cents"]
        and sums["net_cents"] + sums["vat_cents"] == sums["gross_cents"]
    )


def _rewritten(content: dict[str, Any]) -> str | None:
    try:
        return canonical(content)
    except NotCanonical:
        return None


def _end(series: str, counter: InvoiceSeries | None, last: _Link) -> Iterator[Fault]:
    if counter is None:
        yield Fault(series, series, "documents, but no counter")
    elif (counter.last_sequence, counter.last_hash) != (last.sequence, last.hash):
        yield Fault(series, f"{counter.prefix}-{counter.last_sequence:06d}", "was the last, and is not there as it was")
