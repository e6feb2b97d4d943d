"""The dunning worker: a charge that failed is tried again, and whoever has paid may book again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning import retrying, suspending
from app.billing.invoices.models import Invoice
from app.billing.payments.models import Payment
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def try_again(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Have a failed charge of saved means tried again, as the operator's policy says."""
    retrying.retry_later(session, envelope.aggregate_id, now=now)


def let_book_again(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """End what was suspended for invoices of which nothing is open any more."""
    payment = session.scalars(select(Payment).where(Payment.uid == envelope.aggregate_id)).one()
    suspending.end_of_what_is_paid(session, payment.operator_id, payment.party_id, now=now)


def let_book_after_credit(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """As a payment: what was taken back need not be paid."""
    invoice = session.scalars(select(Invoice).where(Invoice.uid == UUID(envelope.data["corrects_id"]))).one()
    suspending.end_of_what_is_paid(session, invoice.operator_id, invoice.party_id, now=now)


DUNNING = register(
    Consumer(
        name="dunning",
        aggregate_types=("payment", "invoice"),
        from_="now",
        blocking=False,
        prefetch=10,
        handlers={
            "payment.failed": try_again,
            "payment.settled": let_book_again,
            "credit_note.finalised": let_book_after_credit,
        },
    )
)
