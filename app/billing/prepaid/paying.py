"""Paying for a booking that is held until it is paid."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.payments.models import Payment
from app.billing.payments.paying import PaymentRunning
from app.billing.payments.requesting import ProviderNotSet, request_payment
from app.db import Statement
from app.errors import NotFound, WrongState
from app.ids import new_id
from app.network.models import Operator
from app.network.parties.services import ensure_for_member
from app.network.people import Person

# What billing knows of one's own booking, from its events; locked, so that two requests make one payment.
_OWN = Statement("""
    SELECT operator_id, status, money_cents, payer_uid FROM billed_booking
    WHERE booking_uid = :booking_uid AND member_id = :member_id FOR NO KEY UPDATE
""")


def pay_for_booking(
    session: Session, booking_uid: UUID, *, kind: str, mode: str, return_url: str | None, provider_ready: bool,
    person: Person, now: datetime,
) -> Payment:  # fmt: skip
    """A payment for what money covers of one's own held booking; what was begun in the same way goes on.

    Raises NotFound (also for a booking made a moment ago, which billing has not heard of), WrongState for one that is
    not held or that a team or an employer pays, ProviderNotSet (pay at the desk), PaymentRunning.
    """
    known: Any = _OWN.run(session, {"booking_uid": booking_uid, "member_id": person.member_id}).one_or_none()
    if known is None:
        raise NotFound()
    if known.status != "held" or known.money_cents <= 0:
        raise WrongState(state=known.status, remedy="only a booking that is held until it is paid is paid first")
    if known.payer_uid is not None:
        raise WrongState(state=known.status, remedy="a team or an employer pays for it; accept it instead")
    if not provider_ready:
        raise ProviderNotSet()
    if (begun := _begun(session, booking_uid, kind=kind, mode=mode)) is not None:
        return begun
    operator = session.get_one(Operator, known.operator_id)
    party = ensure_for_member(session, person.member_id, country=operator.country, now=now)
    return request_payment(
        session, operator_id=operator.id, party_id=party.id, aims={}, cents=known.money_cents, kind=kind, mode=mode,
        source=f"booking:{booking_uid}:{new_id()}", booking_uid=booking_uid, return_url=return_url, now=now,
    )  # fmt: skip


def _begun(session: Session, booking_uid: UUID, *, kind: str, mode: str) -> Payment | None:
    """What waits for the payer. Raises PaymentRunning for what is on its way, WrongState where it has come."""
    asked = select(Payment).where(Payment.booking_uid == booking_uid, Payment.state != "failed").order_by(Payment.id)
    for payment in session.scalars(asked):
        if payment.state == "settled":
            raise WrongState(state="paid", remedy="it is paid; the booking is confirmed in a moment")
        if (payment.kind, payment.mode) == (kind, mode):
            return payment
        if payment.state != "action_needed":
            raise PaymentRunning(payment_id=str(payment.uid), state=payment.state)
    return None
