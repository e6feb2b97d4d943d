"""Money of payments that is an operator's with an account of its own at the provider (mode `connected`): it is passed
on once it has come, and comes back in proportion when its payer gets it back, by a refund or a dispute that is lost.

Nothing of 0 cents is asked for. What is refused is tried again by schedule, and a person is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.billing.payments import orders, states
from app.billing.payments.models import Dispute, Payment, ProviderCall, Refund
from app.billing.payments.port import Heard, Means, Passing
from app.billing.payments.tasks import open_task

VERBS = ("transfer", "reverse")
REVERSAL = "{}:reversal"  # the idempotency key; of a dispute, what was answered under it is all that is kept of it
Asked = tuple[str, Passing]


def of_payment(session: Session, payment: Payment) -> Asked | None:
    """What is to be passed on of a payment, or taken back for a dispute about it that was lost; None for nothing."""
    account = orders.account_of(session, payment.operator_id) if payment.state == "settled" else None
    if account is None:
        return None
    if payment.transfer_ref is None:
        passing = orders.passing_on(session, payment, account)
        return ("transfer", passing) if passing.cents > 0 else None
    for dispute in _lost(session, payment):
        passing = orders.passing_back(session, dispute, payment, account)
        if passing.cents > 0:
            return "reverse", passing
    return None


def of_refund(session: Session, refund: Refund, payment: Payment) -> Asked | None:
    """What is to be taken back for a refund that went out; None for nothing, or nothing yet."""
    if refund.state != "settled" or refund.reversal_ref is not None or payment.transfer_ref is None:
        return None
    account = orders.account_of(session, payment.operator_id)
    passing = orders.passing_back(session, refund, payment, account) if account else None
    return ("reverse", passing) if passing and passing.cents > 0 else None


def hear(session: Session, row: Any, verb: str, passing: Passing, heard: Heard, *, now: datetime) -> None:
    """Write down that money went on or came back; its row, a payment's or a refund's, is held."""
    if heard.means is not Means.DONE or heard.found is None:
        _try_again(session, row, verb, passing, heard, now)
        return
    row.looks = 0
    if isinstance(row, Refund):
        row.reversal_ref, row.next_look_at = heard.found.ref, None
        return
    if verb == "transfer":
        row.transfer_ref = heard.found.ref
        _wake_refunds(session, row, now)
    more = of_payment(session, row) is not None
    row.next_look_at = now if more else states.next_look("settled", looks=0, processing=False, now=now)


def was_refused(session: Session, payment: Payment) -> bool:
    """Whether the last that was asked about it was refused and was one of these: then it is looked up in between, so
    that what else happens to it is not missed."""
    calls = select(ProviderCall).where(ProviderCall.payment_id == payment.id, ProviderCall.outcome != "asked")
    last = session.scalars(calls.order_by(ProviderCall.id.desc()).limit(1)).one_or_none()
    return last is not None and last.verb in VERBS and last.outcome == "refused"


def _lost(session: Session, payment: Payment) -> Iterable[Dispute]:
    """Disputes for which nothing was taken back yet."""
    lost = select(Dispute).where(Dispute.payment_id == payment.id, Dispute.state == "lost").order_by(Dispute.id)
    calls = select(ProviderCall.idempotency_key).where(
        ProviderCall.payment_id == payment.id, ProviderCall.verb == "reverse", ProviderCall.outcome == "answered"
    )
    answered = set(session.scalars(calls))
    return [each for each in session.scalars(lost) if REVERSAL.format(each.uid) not in answered]


def _wake_refunds(session: Session, payment: Payment, now: datetime) -> None:
    """Those that went out before there was anything to take back."""
    early = update(Refund).where(
        Refund.payment_id == payment.id, Refund.state == "settled", Refund.reversal_ref.is_(None)
    )
    due = early.values(next_look_at=func.least(Refund.next_look_at, now))
    session.execute(due.execution_options(synchronize_session=False))


def _try_again(session: Session, row: Any, verb: str, passing: Passing, heard: Heard, now: datetime) -> None:
    row.looks += 1
    row.next_look_at = states.next_look("unknown", looks=row.looks, processing=False, now=now)
    if heard.means is Means.REFUSED:
        kind = "transfer_ref_refused" if verb == "transfer" else "reversal_ref_refused"
        open_task(
            session, operator_id=row.operator_id, kind=kind, key=f"{kind}:{passing.uid}", cents=passing.cents,
            currency=passing.currency, payment_id=row.id if isinstance(row, Payment) else row.payment_id,
            facts={"code": heard.code}, now=now,
        )  # fmt: skip
