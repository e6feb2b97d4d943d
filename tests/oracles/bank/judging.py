"""What the product made of a mess, read from its tables and compared with the truth: every fault in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from tests.oracles.bank.mess import Mess, Truth

_LINES = """
    SELECT bank_ref AS reference, state, cents, rule, payment_id, id FROM bank_line ORDER BY id
"""
_PAID = """
    SELECT l.bank_ref AS reference, i.number, sum(a.cents) AS cents FROM bank_line l
    JOIN allocation a ON a.payment_id = l.payment_id JOIN invoice i ON i.id = a.invoice_id
    WHERE l.cents > 0 GROUP BY 1, 2 HAVING sum(a.cents) <> 0
"""
_PROPOSED = """
    SELECT l.bank_ref AS reference, i.number, p.reasons FROM bank_proposal p JOIN bank_line l ON l.id = p.line_id
    CROSS JOIN jsonb_array_elements(p.aims) AS aim JOIN invoice i ON i.id = CAST(aim->>0 AS bigint)
"""


class Found:
    def __init__(self, connection: Connection) -> None:
        self.lines = {row.reference: row for row in connection.execute(text(_LINES))}
        self.paid: dict[str, dict[str, int]] = defaultdict(dict)
        for row in connection.execute(text(_PAID)):
            self.paid[row.reference][row.number] = int(row.cents)
        self.proposed: dict[str, set[str]] = defaultdict(set)
        self.unreasoned = []
        for row in connection.execute(text(_PROPOSED)):
            self.proposed[row.reference].add(row.number)
            if not row.reasons:
                self.unreasoned.append(row.reference)


def faults(connection: Connection, mess: Mess) -> Iterator[str]:
    found = Found(connection)
    if missing := set(mess.truths) ^ set(found.lines):
        yield f"lines that are missing or too many: {sorted(missing)[:5]} ({len(missing)})"
    for reference in found.unreasoned:
        yield f"{reference} is proposed without a reason"
    for reference, truth in mess.truths.items():
        if reference in found.lines:
            for fault in _judged(truth, found.lines[reference], found.paid[reference], found.proposed[reference]):
                yield f"{reference} ({truth.kind}) {fault}"


def _judged(truth: Truth, line: Any, paid: dict[str, int], proposed: set[str]) -> Iterator[str]:
    if truth.pays is not None:
        if line.state != "matched":
            yield f"is {line.state}, and was certain"
        if paid != truth.pays:
            yield f"pays {paid}, should pay {truth.pays}"
    elif truth.posted:
        if line.state != "matched" or paid:
            yield f"is {line.state} and pays {paid}, should be posted"
    else:
        if line.state == "matched" or paid:
            yield f"was matched by {line.rule} and pays {paid}: nobody can know that"
        if truth.may is not None and line.state != "proposed":
            yield f"is {line.state}: who paid is known, so something can be proposed"
        if truth.may is not None and not proposed <= truth.may:
            yield f"proposes {sorted(proposed - truth.may)[:3]} of others"


def tally(connection: Connection) -> Counter[str]:
    rows = connection.execute(text("SELECT state, count(*) AS n FROM bank_line GROUP BY 1"))
    return Counter({row.state: row.n for row in rows})
