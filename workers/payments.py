"""The payments worker: what the provider tells is looked up, and invoices that pay themselves are charged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.billing.payments import automatic, notices
from app.billing.payments.calling import sender
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def look_up_what_was_told(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Have what a notice is about looked up at the provider at once; the sender beside this consumer asks."""
    notices.look_now(session, envelope.aggregate_id, now=now)


def charge_saved_means(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Charge what is open of an invoice to the means that its party saved for that."""
    automatic.pay_invoice(session, envelope.aggregate_id, now=now)


# From now: no document from before payments were here is charged to anybody. Notices and invoices say what is new each
# by itself: one that fails holds up no other.
PAYMENTS = register(
    Consumer(
        name="payments",
        aggregate_types=("invoice", "provider_notice"),
        from_="now",
        blocking=False,
        prefetch=10,
        sender=sender,
        handlers={"provider.notified": look_up_what_was_told, "invoice.finalised": charge_saved_means},
    )
)
