"""The allocations worker: credit of a customer pays the next invoice, and what a credit note frees is credit again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments import allocating
from app.billing.payments.models import Payment, PaymentAim
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def use_credit(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Give what the party has with the operator to its new invoice."""
    allocating.use_credit(session, _invoice(session, envelope.aggregate_id), now=now)


def free_what_was_credited(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """What an invoice is paid above what is left of it is the party's credit."""
    allocating.after_credit_note(session, _invoice(session, UUID(envelope.data["corrects_id"])), now=now)


def use_credit_instead(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """What a payment was asked for that failed is open to the party's credit."""
    payment_id = session.scalars(select(Payment.id).where(Payment.uid == envelope.aggregate_id)).one()
    aimed = select(PaymentAim.invoice_id).where(PaymentAim.payment_id == payment_id).order_by(PaymentAim.invoice_id)
    for invoice_id in session.scalars(aimed).all():
        allocating.use_credit(session, invoice_id, now=now)


def _invoice(session: Session, uid: UUID) -> int:
    return session.scalars(select(Invoice.id).where(Invoice.uid == uid)).one()


# From now: nobody has credit from before payments were here. Each looks at what stands, so their order does not matter.
ALLOCATIONS = register(
    Consumer(
        name="allocations",
        aggregate_types=("invoice", "payment"),
        from_="now",
        blocking=False,
        prefetch=10,
        handlers={
            "invoice.finalised": use_credit,
            "credit_note.finalised": free_what_was_credited,
            "payment.failed": use_credit_instead,
        },
    )
)
