"""What was recorded between two instants, counted: the sources of a closing's totals, a statement for each table.

Each takes windows (no, operator, from, to) and answers for all of them at once, so that one day is sealed and ten years
are examined by the same statements. Payments come with the money itself: a source of theirs is a row of COUNTED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.billing.closings.content import DIGESTS, Totals, digest
from app.billing.closings.counters import PERIOD, none
from app.db import raw

NOTHING = digest(())


@dataclass(frozen=True, slots=True)
class Window:
    """[starts_at, ends_at) of an operator's time of recording."""

    operator_id: int
    starts_at: datetime
    ends_at: datetime


_WINDOWS = """
    WITH w AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:nos AS bigint[]), CAST(:operators AS bigint[]), CAST(:starts AS timestamptz[]),
                             CAST(:ends AS timestamptz[])) AS w (no, operator_id, starts_at, ends_at))
"""
_INVOICES = """
    w JOIN invoice i ON i.operator_id = w.operator_id AND i.finalised_at >= w.starts_at AND i.finalised_at < w.ends_at
"""
_POSTINGS = """
    w JOIN posting p ON p.operator_id = w.operator_id AND p.created_at >= w.starts_at AND p.created_at < w.ends_at
"""
_CHARGES = """
    w JOIN charge c ON c.operator_id = w.operator_id AND c.created_at >= w.starts_at AND c.created_at < w.ends_at
"""
_SOURCE = "CASE p.kind WHEN 'refund' THEN 'refund:' ELSE '' END || coalesce(p.facts->>'kind', 'other')"
_KIND = "CASE i.kind WHEN 'credit_note' THEN 'credit_note' ELSE 'invoice' END AS kind"

# What is in a charge's digest, in this order: format.CHARGE_FIELDS, whose lines an archive holds.
CHARGE_TEXT = """
    concat_ws('|', c.uid, c.source, c.kind, c.service_from, c.service_until, c.quantity_milli, c.unit, c.currency,
              c.net_cents, c.vat_cents, c.gross_cents, c.vat_permille, c.vat_category, c.vat_ground)
"""

COUNTED: tuple[tuple[str, Any], ...] = (
    (
        "documents",
        raw(f"""{_WINDOWS}
            SELECT w.no, {_KIND}, i.currency, i.series, count(*) AS count, sum(i.net_cents)::bigint AS net_cents,
                sum(i.vat_cents)::bigint AS vat_cents, sum(i.gross_cents)::bigint AS gross_cents,
                min(i.sequence) AS first, max(i.sequence) AS last
            FROM {_INVOICES} GROUP BY w.no, 2, i.currency, i.series
        """),
    ),
    (
        "taxes",
        raw(f"""{_WINDOWS}
            SELECT w.no, {_KIND}, i.currency, t->>'category' AS category, (t->>'permille')::bigint AS permille,
                sum((t->>'net_cents')::bigint)::bigint AS net_cents, sum((t->>'vat_cents')::bigint)::bigint AS vat_cents
            FROM {_INVOICES} CROSS JOIN jsonb_array_elements(CAST(i.snapshot AS jsonb)->'taxes') AS t
            GROUP BY w.no, 2, i.currency, 4, 5
        """),
    ),
    (
        "ledger",
        raw(f"""{_WINDOWS}
            SELECT w.no, p.currency, count(DISTINCT p.id) AS postings, count(*) AS entries,
                coalesce(sum(e.cents) FILTER (WHERE e.cents > 0), 0)::bigint AS debit_cents,
                coalesce(-sum(e.cents) FILTER (WHERE e.cents < 0), 0)::bigint AS credit_cents
            FROM {_POSTINGS} JOIN ledger_entry e ON e.posting_id = p.id GROUP BY w.no, p.currency
        """),
    ),
    (
        "charges",
        raw(f"""{_WINDOWS}
            SELECT w.no, c.currency, count(*) AS count, sum(c.net_cents)::bigint AS net_cents,
                sum(c.vat_cents)::bigint AS vat_cents, sum(c.gross_cents)::bigint AS gross_cents
            FROM {_CHARGES} GROUP BY w.no, c.currency
        """),
    ),
    (
        "payments",
        raw(f"""{_WINDOWS}
            SELECT w.no, {_SOURCE} AS source, p.currency, count(*) AS count,
                sum(CASE p.kind WHEN 'payment' THEN -e.cents ELSE e.cents END)::bigint AS cents
            FROM {_POSTINGS} JOIN ledger_entry e ON e.posting_id = p.id AND e.account = 'receivable'
            WHERE p.kind IN ('payment', 'refund') GROUP BY w.no, 2, p.currency
        """),
    ),
)


def _digest_of(part: str, found: str, order: str) -> Any:
    joined = f"string_agg({part}, E'\\n' ORDER BY {order})"
    return raw(f"{_WINDOWS} SELECT w.no, encode(sha256(convert_to({joined}, 'UTF8')), 'hex') AS digest"
               f" FROM {found} GROUP BY w.no")  # fmt: skip


DIGESTED: dict[str, Any] = {
    "documents": _digest_of("i.hash", _INVOICES, 'i.series COLLATE "C", i.sequence'),
    "postings": _digest_of("encode(p.digest, 'hex')", _POSTINGS, "p.id"),
    "charges": _digest_of(
        f"encode(sha256(convert_to({CHARGE_TEXT}, 'UTF8')), 'hex')", _CHARGES, "c.id"
    ),
}  # fmt: skip


def totals_of(session: Session | Connection, windows: Sequence[Window]) -> list[Totals]:
    """What was recorded in each window, in the order of `windows`."""
    found = [Totals(none(), dict.fromkeys(DIGESTS, NOTHING)) for _ in windows]
    asked = {
        "nos": list(range(len(windows))),
        "operators": [window.operator_id for window in windows],
        "starts": [window.starts_at for window in windows],
        "ends": [window.ends_at for window in windows],
    }
    for name, statement in COUNTED:
        for row in session.execute(statement, asked).mappings():
            found[row["no"]].tables[name].append({column: row[column] for column in row if column != "no"})
    for name, statement in DIGESTED.items():
        for no, digested in session.execute(statement, asked):
            found[no].digests[name] = digested
    for totals in found:
        _sort(totals)
    return found


def _sort(totals: Totals) -> None:
    for name, counter in PERIOD.items():
        totals.tables[name].sort(key=itemgetter(*counter.keys))
