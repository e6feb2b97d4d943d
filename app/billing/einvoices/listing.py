"""Finding electronic invoices: an operator's, those of a document, and the file of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.einvoices.history import steps
from app.billing.einvoices.models import EInvoice, EInvoiceStep
from app.billing.invoices.models import Invoice
from app.billing.papers.files import path_of


class Shown(NamedTuple):
    """An electronic invoice, the document it is of, and its history where it was asked for and may be seen."""

    einvoice: EInvoice
    invoice: Invoice
    steps: Sequence[EInvoiceStep]


def of_operator(
    session: Session, operator_id: int, *, state: str | None, format: str | None, before: int | None, limit: int
) -> list[Shown]:
    """An operator's, newest first. After `kept_operator`."""
    wanted = select(EInvoice, Invoice).join(Invoice, Invoice.id == EInvoice.invoice_id)
    wanted = wanted.where(EInvoice.operator_id == operator_id)
    for column, value in ((EInvoice.state, state), (EInvoice.format, format)):
        if value is not None:
            wanted = wanted.where(column == value)
    if before is not None:
        wanted = wanted.where(EInvoice.id < before)
    found = session.execute(wanted.order_by(EInvoice.id.desc()).limit(limit))
    return [Shown(row.EInvoice, row.Invoice, ()) for row in found]


def of_document(session: Session, invoice: Invoice) -> list[Shown]:
    """Those of a document, with their history, oldest first."""
    rows = session.scalars(select(EInvoice).where(EInvoice.invoice_id == invoice.id).order_by(EInvoice.id))
    return [Shown(row, invoice, steps(session, row)) for row in rows]


def stored(session: Session, invoice_id: int, format: str, *, home: Path) -> Path | None:
    """Where the file is; None while it has not been made, or where it is lost or cut short."""
    found = session.execute(
        select(EInvoice.sha256, EInvoice.size).where(
            EInvoice.invoice_id == invoice_id, EInvoice.format == format, EInvoice.sha256.is_not(None)
        )
    ).one_or_none()
    if found is None or found.sha256 is None:
        return None
    path = path_of(home, found.sha256)
    try:
        return path if path.stat().st_size == found.size else None
    except FileNotFoundError:
        return None
