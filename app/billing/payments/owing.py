"""An automatic charge, looked at once more before the provider is asked for it: it may have waited for hours, and what
was paid meanwhile, by transfer or at the desk, is not charged.

The payer is absent and sees no amount: only all that it was asked for is charged, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, not_, select
from sqlalchemy.orm import Session

from app.billing.payments import settling, standing
from app.billing.payments.models import Payment, PaymentMethod, ProviderCall
from app.billing.payments.requesting import ProviderNotSet, request_payment

NOT_OWED = "not_owed"
NOT_LET_IN = (401, 403, 429)  # statuses: nothing was done


def owed_in_full(session: Session, payment: Payment) -> bool:
    """Whether all that an automatic charge was asked for is still to be paid. True for any other: its payer looks."""
    return payment.mode != "automatic" or _left(session, payment) == standing.aims_of(session, payment.id)


def given_up(session: Session, row: Any, *, now: datetime) -> bool:
    """Whether a row that was claimed just now is a charge that was never begun and is not owed in full any more: it has
    failed then, and what is left is asked for by another."""
    if not isinstance(row, Payment) or row.state not in ("requested", "unknown") or row.provider_ref is not None:
        return False
    if owed_in_full(session, row) or _may_have_begun(session, row):
        return False
    settling.fail(session, row, NOT_OWED, now)
    row.next_look_at = row.claimed_until = None
    session.flush()
    _ask_for(session, row, _left(session, row), now)
    return True


def _left(session: Session, payment: Payment) -> dict[int, int]:
    """What is left to pay of each invoice, at most what was asked for."""
    aims = standing.aims_of(session, payment.id)
    dues = {invoice_id: standing.look_at_invoice(session, invoice_id) for invoice_id in aims}
    return {invoice_id: min(aims[invoice_id], due.left_cents if due else 0) for invoice_id, due in dues.items()}


def _may_have_begun(session: Session, payment: Payment) -> bool:
    """Whether the provider was asked for it, and did not turn us away at the door."""
    turned_away = and_(ProviderCall.outcome == "refused", func.coalesce(ProviderCall.status, 0).in_(NOT_LET_IN))
    begun = select(ProviderCall.id).where(ProviderCall.payment_id == payment.id, ProviderCall.verb == "start")
    return session.scalar(begun.where(not_(turned_away)).limit(1)) is not None


def _ask_for(session: Session, failed: Payment, left: Mapping[int, int], now: datetime) -> None:
    """It stands where the failed one stood among attempts: as many follow it."""
    aims = {invoice_id: cents for invoice_id, cents in left.items() if cents > 0}
    method = session.get_one(PaymentMethod, failed.payment_method_id)
    if not aims or method.state != "active":
        return
    before = session.get(Payment, failed.retries_id) if failed.retries_id else None
    try:
        request_payment(
            session, operator_id=failed.operator_id, party_id=failed.party_id, aims=aims, kind=method.kind,
            mode="automatic", source=f"{failed.source}:left", method=method,
            retries=before if before and before.state == "failed" else None, now=now,
        )  # fmt: skip
    except ProviderNotSet:  # it takes none any more: reminders say what is left
        return
