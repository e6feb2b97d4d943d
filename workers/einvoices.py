"""The einvoices worker: a document that was finalised gets what machines read of it, and is sent where it must go."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.billing.einvoices.dispatching import dispatcher
from app.billing.einvoices.wanting import want_first
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def want_einvoices(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down what is to be made, once; the dispatcher beside this consumer makes it and sends it."""
    want_first(session, envelope.aggregate_id, now=now)


# A document has one event, and its electronic invoices no other's.
EINVOICES = register(
    Consumer(
        name="einvoices",
        aggregate_types=("invoice",),
        blocking=False,
        sender=dispatcher,
        handlers={"invoice.finalised": want_einvoices, "credit_note.finalised": want_einvoices},
    )
)
