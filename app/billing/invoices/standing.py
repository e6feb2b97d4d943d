"""Where a document stands: finalised, sent, overdue or paid. Nothing of it is stored but when it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.db import Statement

STATUSES = ("finalised", "sent", "overdue", "paid")

_SETTLED = Statement("SELECT invoice_id, settled_cents FROM invoice_settlement WHERE invoice_id = ANY(:ids)")
_PAYING = Statement("""
    SELECT a.invoice_id, p.uid, p.kind, p.settled_at, sum(a.cents)::bigint AS cents
    FROM allocation a JOIN payment p ON p.id = a.payment_id
    WHERE a.invoice_id = ANY(:ids) GROUP BY a.invoice_id, p.id HAVING sum(a.cents) > 0 ORDER BY p.id
""")


class Paying(NamedTuple):
    """So much of an invoice is paid by a payment."""

    payment_uid: UUID
    kind: str
    settled_at: datetime
    cents: int


def settled_cents(session: Session, invoices: Iterable[Invoice]) -> dict[int, int]:
    """What needs no paying any more of each of these invoices, by internal id: what the view invoice_settlement sums.

    That is what credit notes take back and what payments pay. Ask about invoices that the session's person has found.
    """
    ids = [invoice.id for invoice in invoices]
    found = {row.invoice_id: row.settled_cents for row in _SETTLED.run(session, {"ids": ids}).fetchall()}
    return {key: found.get(key, 0) for key in ids}


def paying(session: Session, invoices: Iterable[Invoice]) -> dict[int, tuple[Paying, ...]]:
    """Which payments pay each of these invoices, by internal id, oldest first."""
    found: dict[int, tuple[Paying, ...]] = {invoice.id: () for invoice in invoices}
    for row in _PAYING.run(session, {"ids": list(found)}).fetchall():
        found[row.invoice_id] += (Paying(*row[1:]),)
    return found


def status(*, kind: str, gross_cents: int, settled: int, due_on: date, sent_at: datetime | None, today: date) -> str:
    """The status on a day. An invoice of which nothing is left to pay is paid; the due day itself is in time still."""
    if kind != "credit_note":
        if settled >= gross_cents:
            return "paid"
        if today > due_on:
            return "overdue"
    return "sent" if sent_at else "finalised"


def mark_sent(session: Session, uid: UUID, *, now: datetime) -> bool:
    """Note that the party has been sent a document; the first time counts. Tells whether this was it."""
    first = update(Invoice).where(Invoice.uid == uid, Invoice.sent_at.is_(None)).values(sent_at=now)
    noted = first.returning(Invoice.id).execution_options(synchronize_session=False)
    return session.scalar(noted) is not None
