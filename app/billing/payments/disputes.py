"""Payments that a payer contests with their bank: the money is away until it is decided, and for good when lost."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.ledger.posting import Posting, post
from app.billing.months import Books
from app.billing.payments import posting
from app.billing.payments.allocating import allocate_payment, release
from app.billing.payments.days import money_of
from app.billing.payments.models import Dispute, Payment
from app.billing.payments.orders import operator_uid, party_uid
from app.billing.payments.port import FoundDispute
from app.billing.payments.tasks import open_task
from app.events.outbox import record
from app.events.payment_facts import PaymentDisputed


def find(session: Session, payment: Payment, found: Iterable[FoundDispute], *, books: Books, now: datetime) -> None:
    """Take over what the provider says of the disputes about a payment whose row is held. What is decided stays so."""
    for each in found:
        known = session.scalars(select(Dispute).where(Dispute.provider_ref == each.ref)).one_or_none()
        dispute = known or _open(session, payment, each, books, now)
        if dispute.state == "open" and each.state != "open":
            _close(session, payment, dispute, each, books, now)


def _open(session: Session, payment: Payment, found: FoundDispute, books: Books, now: datetime) -> Dispute:
    """The provider took the money back: a person has some days to answer."""
    dispute = Dispute(
        payment_id=payment.id, operator_id=payment.operator_id, provider_ref=found.ref, amount_cents=found.cents,
        fee_cents=found.fee_cents, currency=payment.currency, reason=found.reason, opened_at=now, state="open",
    )  # fmt: skip
    session.add(dispute)
    session.flush()
    money = money_of(session, payment, books, now=now)
    _post(session, posting.disputed(money, dispute.uid, cents=found.cents, fee_cents=found.fee_cents), now)
    open_task(
        session, operator_id=payment.operator_id, kind="disputed", key=f"dispute:{dispute.uid}", cents=found.cents,
        currency=payment.currency, party_id=payment.party_id, payment_id=payment.id,
        facts={"dispute_id": str(dispute.uid), "reason": found.reason}, now=now,
    )  # fmt: skip
    _tell(session, payment, dispute, now)
    return dispute


def _close(
    session: Session, payment: Payment, dispute: Dispute, found: FoundDispute, books: Books, now: datetime
) -> None:
    money, cents = money_of(session, payment, books, now=now), dispute.amount_cents
    if found.state == "lost":
        release(session, payment, cents, source=f"dispute:{dispute.provider_ref}", now=now)
    dispute.state, dispute.closed_at = found.state, now
    session.flush()
    if found.state == "lost":
        payment.looks = 0  # what was passed on of it is taken back at once
        _post(session, posting.dispute_lost(money, dispute.uid, cents=cents), now)
    else:
        back = found.fee_back_cents
        _post(session, posting.dispute_won(money, dispute.uid, cents=cents, fee_back_cents=back), now)
        allocate_payment(session, payment, now=now)
    _tell(session, payment, dispute, now)


def _post(session: Session, what: Posting, now: datetime) -> None:
    post(session, [what], now=now)


def _tell(session: Session, payment: Payment, dispute: Dispute, now: datetime) -> None:
    fact = PaymentDisputed(
        payment_id=str(payment.uid),
        operator_id=str(operator_uid(session, payment.operator_id)),
        party_id=str(party_uid(session, payment.party_id)),
        dispute_id=str(dispute.uid),
        state=dispute.state,
        amount_cents=dispute.amount_cents,
        currency=dispute.currency,
    )
    record(session, payment, fact, at=now)
