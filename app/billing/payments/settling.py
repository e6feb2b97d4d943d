"""From evidence to the state of a payment: what the provider said is written down, posted, given to invoices and told.

Lock order: the operator's books, the payment's row, its refunds and disputes, then invoices.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.billing.ledger.posting import post
from app.billing.months import Books
from app.billing.payments import disputes, passing, posting, refunding, states, telling
from app.billing.payments.allocating import allocate_payment
from app.billing.payments.days import money_of
from app.billing.payments.evidence import evidence_of
from app.billing.payments.models import Payment
from app.billing.payments.orders import operator_uid, party_uid, stops_at
from app.billing.payments.port import Found, Heard
from app.billing.payments.tasks import open_task
from app.events.outbox import record
from app.events.payment_facts import PaymentFailed


def hear(
    session: Session, payment: Payment, heard: Heard, *, verb: str, books: Books, key_is_young: bool = True,
    now: datetime,
) -> None:  # fmt: skip
    """Write down what was heard about a payment whose row is held, and when to look again."""
    found = heard.found or Found(None)
    evidence, failure = evidence_of(heard, verb=verb, key_is_young=key_is_young)
    payment.provider_ref = found.ref or payment.provider_ref
    before, payment.looks = payment.state, payment.looks + 1
    if evidence is not None:
        _follow(session, payment, evidence, found, failure, books, now)
    if payment.state == "settled":
        refunding.find(session, payment, found.refunds, books=books, now=now)
        disputes.find(session, payment, found.disputes, books=books, now=now)
    if payment.state != before:
        payment.looks = 0
    _look_again(session, payment, processing=evidence == states.PROCESSING, now=now)
    _call_a_person(session, payment, now)


def _follow(
    session: Session, payment: Payment, evidence: str, found: Found, failure: str | None, books: Books, now: datetime
) -> None:
    before, after = payment.state, states.PAYMENTS[payment.state][evidence]
    if after == before:
        return
    if after == "settled":
        _settle(session, payment, found, books, now)
        if before == "failed":
            _ask(session, payment, "settled_after_failed", now)
    elif after == "failed":
        fail(session, payment, failure or "refused", now)
    else:
        payment.state = after


def _settle(session: Session, payment: Payment, found: Found, books: Books, now: datetime) -> None:
    payment.state, payment.settled_at, payment.failed_at, payment.failure_code = "settled", now, None, None
    payment.settled_cents, payment.fee_cents = found.settled_cents, found.fee_cents
    session.flush()
    money = money_of(session, payment, books, now=now)
    post(session, [posting.settled(money, gross_cents=found.settled_cents, fee_cents=found.fee_cents)], now=now)
    allocate_payment(session, payment, now=now)
    fact = telling.settled(
        payment=payment.uid,
        operator=operator_uid(session, payment.operator_id),
        party=party_uid(session, payment.party_id),
        kind=payment.kind,
        cents=found.settled_cents,
        fee_cents=found.fee_cents,
        currency=payment.currency,
        booking=payment.booking_uid,
    )
    record(session, payment, fact, at=now)


def fail(session: Session, payment: Payment, failure: str, now: datetime) -> None:
    """It is certain that nothing was taken, and why: a payment whose row is held has failed."""
    payment.state, payment.failed_at, payment.failure_code = "failed", now, failure
    session.flush()
    fact = PaymentFailed(
        payment_id=str(payment.uid),
        operator_id=str(operator_uid(session, payment.operator_id)),
        party_id=str(party_uid(session, payment.party_id)),
        kind=payment.kind,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        failure=failure,
        booking_id=str(payment.booking_uid) if payment.booking_uid else None,
    )
    record(session, payment, fact, at=now)


def _look_again(session: Session, payment: Payment, *, processing: bool, now: datetime) -> None:
    """By schedule, and when what waits for the payer is to be stopped; at once where money is to go to an account of
    the operator's own, or to come back from there.
    """
    payment.next_look_at = states.next_look(payment.state, looks=payment.looks, processing=processing, now=now)
    if payment.state == "action_needed" and payment.next_look_at and now < (stops := stops_at(payment)):
        payment.next_look_at = min(payment.next_look_at, stops)
    if passing.of_payment(session, payment) is not None:
        payment.next_look_at = now + states.UNHEARD_LOOKS[min(payment.looks, 4)] if payment.looks else now


def _call_a_person(session: Session, payment: Payment, now: datetime) -> None:
    if payment.state == "unknown" and now - payment.requested_at > states.UNKNOWN_TOO_LONG:
        _ask(session, payment, "payment_unknown", now)


def _ask(session: Session, payment: Payment, kind: str, now: datetime) -> None:
    open_task(
        session, operator_id=payment.operator_id, kind=kind, key=f"{kind}:payment:{payment.uid}",
        cents=payment.amount_cents, currency=payment.currency, party_id=payment.party_id, payment_id=payment.id,
        now=now,
    )  # fmt: skip
