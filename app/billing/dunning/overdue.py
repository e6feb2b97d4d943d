"""What of an operator is overdue on a day, what was done about it, and what stands in the way of doing more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning.models import DunningAct, DunningStop
from app.billing.dunning.steps import Done
from app.db import Statement

# Who was the buyer, and by which law, is what the document itself says. `for_late` are invoices of nothing but interest
# and costs: nothing is claimed on top of those.
_OVERDUE = Statement("""
    SELECT i.id, i.uid, i.number, i.kind, i.party_id, p.uid AS party_uid, p.member_id, i.due_on, i.currency,
           i.gross_cents - coalesce(v.settled_cents, 0) AS open_cents,
           CAST(i.snapshot AS jsonb) -> 'seller' ->> 'country' AS country,
           CAST(CAST(i.snapshot AS jsonb) -> 'buyer' ->> 'is_business' AS boolean) AS to_business,
           NOT EXISTS (SELECT FROM charge c WHERE c.invoice_id = i.id
                       AND c.kind NOT IN ('late_interest', 'recovery_fee')) AS for_late,
           EXISTS (SELECT FROM payment_aim a JOIN payment y ON y.id = a.payment_id
                   WHERE a.invoice_id = i.id AND y.state IN ('requested', 'unknown'))
           OR EXISTS (SELECT FROM sepa_item d WHERE d.invoice_id = i.id AND d.kind = 'debit'
                      AND d.state IN ('waiting', 'in_file')) AS being_paid,
           EXISTS (SELECT FROM payment_aim a JOIN dispute d ON d.payment_id = a.payment_id
                   WHERE a.invoice_id = i.id AND d.state = 'open') AS disputed
    FROM invoice i JOIN party p ON p.id = i.party_id
    LEFT JOIN LATERAL (SELECT s.settled_cents FROM invoice_settlement s WHERE s.invoice_id = i.id) v ON true
    WHERE i.operator_id = :operator_id AND i.kind <> 'credit_note' AND i.due_on < :day
      AND (CAST(:only AS bigint) IS NULL OR i.id = :only)
      AND i.gross_cents > coalesce(v.settled_cents, 0)
    ORDER BY i.id
""")


class Overdue(NamedTuple):
    """An invoice of which something is open after its due day. `open_cents` > 0."""

    id: int
    uid: UUID
    number: str
    kind: str
    party_id: int
    party_uid: UUID
    member_id: int | None
    due_on: date
    currency: str
    open_cents: int
    country: str
    to_business: bool
    for_late: bool
    being_paid: bool
    disputed: bool


def overdue(session: Session, operator_id: int, *, day: date, only: int | None = None) -> list[Overdue]:
    """The operator's overdue invoices, by their age, or `only` one of them. After the caller has seen to it that the
    books are theirs."""
    asked = {"operator_id": operator_id, "day": day, "only": only}
    return [Overdue(*row) for row in _OVERDUE.run(session, asked).fetchall()]


def done(session: Session, invoices: Collection[int]) -> dict[int, list[Done]]:
    """The steps taken about each invoice, first to last."""
    found: dict[int, list[Done]] = defaultdict(list)
    acts = select(DunningAct).where(DunningAct.invoice_id.in_(invoices)).order_by(DunningAct.no)
    for act in session.scalars(acts):
        taken = Done(act.no, act.day, act.interest_cents, act.compensation_cents)
        found[act.invoice_id].append(taken)
    return found


class Stops(NamedTuple):
    """What is stopped on a day."""

    everything: bool
    parties: frozenset[int]
    invoices: frozenset[int]

    def hold(self, invoice: Overdue) -> bool:
        return self.everything or invoice.party_id in self.parties or invoice.id in self.invoices


def stops(session: Session, operator_id: int, *, day: date) -> Stops:
    """What nobody has lifted, and whose last day has not passed."""
    standing = select(DunningStop).where(DunningStop.operator_id == operator_id, DunningStop.lifted_at.is_(None))
    rows = [row for row in session.scalars(standing) if row.until is None or day <= row.until]
    return Stops(
        everything=any(row.party_id is None and row.invoice_id is None for row in rows),
        parties=_ids(row.party_id for row in rows),
        invoices=_ids(row.invoice_id for row in rows),
    )


def _ids(values: Iterable[int | None]) -> frozenset[int]:
    return frozenset(value for value in values if value is not None)
