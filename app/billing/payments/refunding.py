"""Giving money of a payment back: never above what came, at most once for each source, to where it came from.

What was paid through the provider goes back through it; cash and transfers are given back by a person, or a file of
transfers, and then marked so. A refund that the provider tells of and we did not ask for is taken over as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.billing.ledger.posting import post
from app.billing.months import Books, hold_books
from app.billing.payments import passing, posting, states
from app.billing.payments.allocating import allocate_payment, release
from app.billing.payments.days import money_of
from app.billing.payments.evidence import evidence_of
from app.billing.payments.models import Dispute, Payment, Refund
from app.billing.payments.orders import operator_uid, party_uid
from app.billing.payments.port import Found, FoundRefund, Heard
from app.billing.payments.requesting import PROVIDER
from app.billing.payments.tasks import open_task
from app.errors import Invalid, Problem, WrongState
from app.events.outbox import record
from app.events.payment_facts import PaymentRefunded


class RefundTooHigh(Problem):
    """`left_cents` of the payment can still be given back."""

    code = "refund_too_high"
    status = 409
    title = "No more can be given back than came and was kept."


class RefundedOtherwise(Problem):
    """Its source asked for another refund before: a fault of whoever asks, never to be passed over."""

    code = "refunded_otherwise"
    status = 409
    title = "This refund was asked for before, with another amount or of another payment."


def request_refund(
    session: Session, payment: Payment, *, cents: int, reason: str, source: str, asked_by_id: int | None = None,
    now: datetime,
) -> Refund:  # fmt: skip
    """Give so many cents of a settled payment back. The same source once more is the same refund.

    What they paid is open again from now on. Raises Invalid, WrongState, RefundTooHigh, RefundedOtherwise.
    """
    if cents <= 0:
        raise Invalid.field("amount_cents", "must be at least a cent")
    hold_books(session, payment.operator_id)
    payment = held(session, payment.id)
    if (known := session.scalars(select(Refund).where(Refund.source == source)).one_or_none()) is not None:
        if (known.payment_id, known.amount_cents) != (payment.id, cents):
            raise RefundedOtherwise(refund_id=str(known.uid), source=source)
        return known
    if payment.state != "settled":
        raise WrongState(state=payment.state, remedy="only money that has come can be given back")
    if cents > (left := left_cents(session, payment)):
        raise RefundTooHigh(left_cents=left)
    refund = _begin(session, payment, cents, reason, source, now)
    refund.asked_by_id = asked_by_id
    if payment.provider == PROVIDER:
        refund.next_look_at = now
    else:
        _ask(session, payment, refund, "refund_by_hand", now)
    session.flush()
    return refund


def refund_given(session: Session, refund: Refund, *, now: datetime) -> None:
    """A person has given it back by hand, or a file of transfers has. Again changes nothing."""
    books = hold_books(session, refund.operator_id)
    payment = held(session, refund.payment_id)
    if payment.provider == PROVIDER:
        raise WrongState(state=refund.state, remedy="the provider gives it back, and tells when")
    follow(session, payment, refund, states.SETTLED, None, books=books, now=now)


def left_cents(session: Session, payment: Payment) -> int:
    """What can still be given back: what came, less what was or is being given back, contested or lost."""
    given = select(func.coalesce(func.sum(Refund.amount_cents), 0)).where(
        Refund.payment_id == payment.id, Refund.state != "failed"
    )
    away = select(func.coalesce(func.sum(Dispute.amount_cents), 0)).where(
        Dispute.payment_id == payment.id, Dispute.state != "won"
    )
    return int(payment.settled_cents - session.scalars(given).one() - session.scalars(away).one())


def hear(
    session: Session, payment: Payment, refund: Refund, heard: Heard, *, verb: str, books: Books,
    key_is_young: bool = True, now: datetime,
) -> None:  # fmt: skip
    """Write down what was heard about a refund; its payment's row is held, and its own."""
    found = heard.found or Found(None)
    evidence, failure = evidence_of(heard, verb=verb, key_is_young=key_is_young)
    refund.provider_ref = found.ref or refund.provider_ref
    before, refund.looks = refund.state, refund.looks + 1
    if evidence is not None:
        follow(session, payment, refund, evidence, failure, books=books, now=now)
    if refund.state != before:
        refund.looks = 0
    _look_again(session, payment, refund, processing=evidence == states.PROCESSING, now=now)
    if refund.state == "unknown" and now - refund.requested_at > states.UNKNOWN_TOO_LONG:
        _ask(session, payment, refund, "refund_unknown", now)


def find(session: Session, payment: Payment, found: Iterable[FoundRefund], *, books: Books, now: datetime) -> None:
    """Take over what the provider says of the refunds of a payment whose row is held.

    Those that failed first: what came back with them may have gone out again with others.
    """
    rows = session.scalars(select(Refund).where(Refund.payment_id == payment.id)).all()
    by_name = {row.provider_ref: row for row in rows if row.provider_ref} | {row.uid: row for row in rows}
    for each in sorted(found, key=lambda each: each.evidence != states.FAILED):
        refund = by_name.get(each.ref) or (by_name.get(each.uid) if each.uid else None)
        if refund is None:
            if each.evidence == states.FAILED:
                continue
            refund = _begin(session, payment, each.cents, "provider", f"provider:{each.ref}", now)
        refund.provider_ref = each.ref
        follow(session, payment, refund, each.evidence, each.failure, books=books, now=now)


def follow(
    session: Session, payment: Payment, refund: Refund, evidence: str, failure: str | None, *, books: Books,
    now: datetime,
) -> None:  # fmt: skip
    """Move a refund to where evidence leads it, and post and tell what that means."""
    before, after = refund.state, states.REFUNDS[refund.state][evidence]
    if after == before:
        return
    refund.state = after
    if after == "settled":
        _settle(session, payment, refund, books, now)
    elif after == "failed":
        refund.settled_at, refund.failed_at, refund.failure_code = None, now, failure or "refused"
        refund.next_look_at = None
        session.flush()
        if before == "settled":
            money = money_of(session, payment, books, now=now)
            post(session, [posting.refund_returned(money, refund.uid, cents=refund.amount_cents)], now=now)
        allocate_payment(session, payment, now=now)
        _ask(session, payment, refund, "refund_failed", now)


def held(session: Session, payment_id: int) -> Payment:
    """A payment, whose row nobody else changes until commit."""
    mine = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
    return session.scalars(mine.execution_options(populate_existing=True)).one()


def _begin(session: Session, payment: Payment, cents: int, reason: str, source: str, now: datetime) -> Refund:
    release(session, payment, cents, source=f"refund:{source}", now=now)
    refund = Refund(
        payment_id=payment.id, operator_id=payment.operator_id, source=source, amount_cents=cents,
        currency=payment.currency, reason=reason, requested_at=now, state="requested", looks=0, claims=0,
    )  # fmt: skip
    session.add(refund)
    session.flush()
    return refund


def _settle(session: Session, payment: Payment, refund: Refund, books: Books, now: datetime) -> None:
    refund.settled_at = now
    session.flush()
    money = money_of(session, payment, books, now=now)
    post(session, [posting.refunded(money, refund.uid, cents=refund.amount_cents)], now=now)
    fact = PaymentRefunded(
        payment_id=str(payment.uid),
        operator_id=str(operator_uid(session, payment.operator_id)),
        party_id=str(party_uid(session, payment.party_id)),
        refund_id=str(refund.uid),
        amount_cents=refund.amount_cents,
        currency=refund.currency,
    )
    record(session, payment, fact, at=now)
    _look_again(session, payment, refund, processing=False, now=now)


def _look_again(session: Session, payment: Payment, refund: Refund, *, processing: bool, now: datetime) -> None:
    """By schedule, until it is decided; then once more where money is to come back from an account of the operator's.

    That a refund came back is told with its payment.
    """
    if passing.of_refund(session, refund, payment) is not None:
        refund.next_look_at = now + states.UNHEARD_LOOKS[min(refund.looks, 4)] if refund.looks else now
    elif refund.state in ("settled", "failed"):
        refund.next_look_at = None
    else:
        refund.next_look_at = states.next_look(refund.state, looks=refund.looks, processing=processing, now=now)


def _ask(session: Session, payment: Payment, refund: Refund, kind: str, now: datetime) -> None:
    open_task(
        session, operator_id=payment.operator_id, kind=kind, key=f"{kind}:refund:{refund.uid}",
        cents=refund.amount_cents, currency=refund.currency, party_id=payment.party_id, payment_id=payment.id,
        facts={"refund_id": str(refund.uid)}, now=now,
    )  # fmt: skip
