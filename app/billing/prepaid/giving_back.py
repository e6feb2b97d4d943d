"""What was paid first and is not owed after all goes back to where it came from."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.payments.models import Payment
from app.billing.payments.refunding import left_cents, request_refund


def give_back(session: Session, payment_uid: UUID, *, reason: str, now: datetime) -> int:
    """All that is left of a payment that came for nothing; returns the cents that go back."""
    payment = session.scalars(select(Payment).where(Payment.uid == payment_uid)).one()
    return _refund(session, payment, left_cents(session, payment), reason, now)


def give_back_unowed(session: Session, booking_uid: UUID, *, fee_cents: int, reason: str, now: datetime) -> int:
    """What was paid for a booking that has ended, above the fee that it leaves; returns the cents that go back."""
    paid = select(Payment).where(Payment.booking_uid == booking_uid, Payment.state == "settled").order_by(Payment.id)
    given, owed = 0, fee_cents
    for payment in session.scalars(paid).all():
        left = left_cents(session, payment)
        kept = min(left, owed)
        owed -= kept
        given += _refund(session, payment, left - kept, reason, now)
    return given


def _refund(session: Session, payment: Payment, cents: int, reason: str, now: datetime) -> int:
    if cents > 0:
        source = f"prepaid:{payment.uid}:{reason}"
        request_refund(session, payment, cents=cents, reason=reason, source=source, now=now)
    return max(cents, 0)
