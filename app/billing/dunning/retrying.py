"""A charge to saved means that failed for a reason that passes is tried again, on the days of the operator's policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning.overdue import stops
from app.billing.dunning.policies import next_morning, policy_of, today
from app.billing.payments import standing
from app.billing.payments.methods import automatic_method
from app.billing.payments.models import Payment, PaymentAccount
from app.billing.payments.requesting import request_payment
from app.timekeeper import due, schedule

KIND = "payment.retry"

# In the provider's words. Others (a stolen card, a revoked mandate, a payer who must be there) do not pass by waiting.
PASSING = frozenset({
    "insufficient_funds", "card_velocity_exceeded", "processing_error", "issuer_not_available", "try_again_later",
    "reenter_transaction", "approve_with_id", "withdrawal_count_limit_exceeded", "charge_exceeds_source_limit",
})  # fmt: skip


def retry_later(session: Session, payment_uid: UUID, *, now: datetime) -> datetime | None:
    """Have a failed charge tried again, and say when; None where it is not to be: the payer was there, the reason does
    not pass, the operator does not retry, or has as often as it wants."""
    payment = session.scalars(select(Payment).where(Payment.uid == payment_uid)).one()
    if payment.mode != "automatic" or payment.state != "failed" or payment.failure_code not in PASSING:
        return None
    days = policy_of(session, payment.operator_id).retry_days
    tried = _tried(session, payment)
    if tried >= len(days):
        return None
    waited = days[tried - 1] if tried else 0
    at = now + timedelta(days=days[tried] - waited)
    schedule(session, KIND, payment.id, at)
    return at


@due(KIND)
def retry(session: Session, payment_id: int, *, now: datetime) -> None:
    """Charge what is still open of what a failed payment was for, to the means that the party has saved by now."""
    failed = session.get_one(Payment, payment_id)
    method = automatic_method(session, operator_id=failed.operator_id, party_id=failed.party_id)
    account = session.get(PaymentAccount, failed.operator_id)
    if method is None or account is None or account.provider_mode == "none":
        return
    aims = _open_aims(session, failed)
    if _stopped(session, failed, aims, now=now):
        schedule(session, KIND, payment_id, next_morning(session, failed.operator_id, now=now))
        return
    if not aims:
        return
    request_payment(
        session, operator_id=failed.operator_id, party_id=failed.party_id, aims=aims, kind=method.kind,
        mode="automatic", source=f"retry:{failed.uid}", method=method, retries=failed, now=now,
    )  # fmt: skip


def _tried(session: Session, payment: Payment) -> int:
    """How many attempts came before this one."""
    tried, before = 0, payment.retries_id
    while before is not None:
        tried += 1
        before = session.scalars(select(Payment.retries_id).where(Payment.id == before)).one()
    return tried


def _open_aims(session: Session, failed: Payment) -> dict[int, int]:
    """What is open of each invoice that it was for, held, and nobody else is paying meanwhile; never more than
    before."""
    asked = standing.aims_of(session, failed.id)
    open_cents = {due.id: min(asked[due.id], due.left_cents - due.awaited_cents)
                  for due in standing.hold_invoices(session, asked)}  # fmt: skip
    return {invoice_id: cents for invoice_id, cents in open_cents.items() if cents > 0}


def _stopped(session: Session, failed: Payment, aims: Mapping[int, int], *, now: datetime) -> bool:
    """Whether somebody pressed the button for what it would charge."""
    stopped = stops(session, failed.operator_id, day=today(session, failed.operator_id, now=now))
    return stopped.everything or failed.party_id in stopped.parties or bool(stopped.invoices & aims.keys())
