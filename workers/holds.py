"""The holds worker: money confirms the booking that waited for it, or goes back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.prepaid import giving_back
from app.booking import paid
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def confirm_or_give_back(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Confirm the booking that a payment was for; what came too late, or too little, goes back."""
    booking_uid = envelope.data.get("booking_id")
    if booking_uid is None:
        return
    outcome = paid.confirm_paid(
        session, UUID(booking_uid), payment_uid=envelope.aggregate_id, cents=envelope.data["amount_cents"], now=now
    )
    if outcome != paid.CONFIRMED:
        giving_back.give_back(session, envelope.aggregate_id, reason=outcome, now=now)


def give_back_unowed(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """A booking ended that may have been paid first: what it does not cost goes back."""
    fee_cents = envelope.data.get("fee_cents") or 0
    giving_back.give_back_unowed(
        session, envelope.aggregate_id, fee_cents=fee_cents, reason=envelope.type.rpartition(".")[2], now=now
    )


HOLDS = register(
    Consumer(
        name="holds",
        aggregate_types=("payment", "booking"),
        from_="now",
        blocking=False,
        prefetch=10,
        handlers={
            "payment.settled": confirm_or_give_back,
            "booking.cancelled": give_back_unowed,
            "booking.refused": give_back_unowed,
        },
    )
)
