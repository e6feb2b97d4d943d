"""What happened to an electronic invoice, written down once each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.einvoices.models import EInvoice, EInvoiceStep


def tell(
    session: Session, row: EInvoice, *, state: str, key: str, code: str = "", detail: str = "", now: datetime
) -> bool:
    """Add a step to its history; False when a step of this `key` is there already."""
    step = {
        "einvoice_id": row.id, "operator_id": row.operator_id, "key": key, "state": state, "code": code,
        "detail": detail[:500], "at": now,
    }  # fmt: skip
    written = insert(EInvoiceStep).values(step).on_conflict_do_nothing(index_elements=["einvoice_id", "key"])
    return session.scalar(written.returning(EInvoiceStep.id)) is not None


def steps(session: Session, row: EInvoice) -> list[EInvoiceStep]:
    """Its history, in order."""
    return list(
        session.scalars(select(EInvoiceStep).where(EInvoiceStep.einvoice_id == row.id).order_by(EInvoiceStep.id))
    )
