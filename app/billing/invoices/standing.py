"""Where a document stands: finalised, sent, overdue or paid. Nothing of it is stored but when it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.db import Statement

STATUSES = ("finalised", "sent", "overdue", "paid")

_SETTLED = Statement("SELECT invoice_id, settled_cents FROM invoice_settlement WHERE invoice_id = ANY(:ids)")


def settled_cents(session: Session, invoices: Iterable[Invoice]) -> dict[int, int]:
    """What needs no paying any more of each of these invoices, by internal id: what the view invoice_settlement sums.

    Today that is what credit notes take back. Ask about invoices that the session's person has found.
    """
    ids = [invoice.id for invoice in invoices]
    found = {row.invoice_id: row.settled_cents for row in _SETTLED.run(session, {"ids": ids}).fetchall()}
    return {key: found.get(key, 0) for key in ids}


def status(*, kind: str, gross_cents: int, settled: int, due_on: date, sent_at: datetime | None, today: date) -> str:
    """The status on a day. An invoice of which nothing is left to pay is paid; the due day itself is in time still."""
    if kind != "credit_note":
        if settled >= gross_cents:
            return "paid"
        if today > due_on:
            return "overdue"
    return "sent" if sent_at else "finalised"


def mark_sent(invoice: Invoice, *, now: datetime) -> None:
    """Note that the party has been sent it; the first time counts."""
    invoice.sent_at = invoice.sent_at or now
