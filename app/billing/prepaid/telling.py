"""What a mail about money that went back says."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.payments.models import Payment, Refund
from app.network.models import Operator


class Told(NamedTuple):
    """The payment that it is about, and whose it was."""

    payment_uid: UUID
    party_id: int


def paid_by(session: Session, payment_uid: UUID) -> Told:
    party_id = session.scalars(select(Payment.party_id).where(Payment.uid == payment_uid)).one()
    return Told(payment_uid, party_id)


def read(session: Session, refund_uid: UUID) -> dict[str, Any]:
    """Who gives back, and why: a code."""
    refund = session.scalars(select(Refund).where(Refund.uid == refund_uid)).one()
    seller = session.scalars(select(Operator.name).where(Operator.id == refund.operator_id)).one()
    return {"seller": seller, "reason": refund.reason}
