"""What the provider is to be asked, made of our rows: the same rows make the same request, to the letter."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments import states
from app.billing.payments.models import Dispute, Payment, PaymentAccount, PaymentAim, PaymentMethod, Refund
from app.billing.payments.port import Charging, GivingBack, Passing, Saving
from app.network.models import Operator
from app.network.parties.models import Party

LONGEST_LABEL = 100


def charging_of(session: Session, payment: Payment) -> Charging:
    """A payment; its page names the invoices that it pays, by their numbers."""
    method = session.get(PaymentMethod, payment.payment_method_id) if payment.payment_method_id else None
    return Charging(
        uid=payment.uid,
        operator_uid=operator_uid(session, payment.operator_id),
        cents=payment.amount_cents,
        currency=payment.currency,
        kind=payment.kind,
        mode=payment.mode,
        label=_label(session, payment) if payment.mode == "hosted" else "",
        return_url=payment.return_url,
        customer=method.provider_customer if method else None,
        method=method.provider_method if method else None,
        mandate=method.mandate if method else None,
        ref=payment.provider_ref,
        pay_by=_pay_by(payment),
        refunded=session.scalar(select(Refund.id).where(Refund.payment_id == payment.id).limit(1)) is not None,
    )


def giving_of(session: Session, refund: Refund, payment: Payment) -> GivingBack:
    return GivingBack(
        uid=refund.uid,
        payment_uid=payment.uid,
        operator_uid=operator_uid(session, payment.operator_id),
        payment_ref=payment.provider_ref or "",
        cents=refund.amount_cents,
        ref=refund.provider_ref,
    )


def saving_of(session: Session, method: PaymentMethod) -> Saving:
    return Saving(
        uid=method.uid,
        operator_uid=operator_uid(session, method.operator_id),
        kind=method.kind,
        mode=method.mode,
        return_url=method.return_url,
        customer=method.provider_customer if method.provider_setup else None,
        ref=method.provider_setup,
    )


def passing_on(session: Session, payment: Payment, account: str) -> Passing:
    """What an operator gets of a payment: what came, less what the provider kept."""
    return Passing(
        uid=payment.uid,
        operator_uid=operator_uid(session, payment.operator_id),
        cents=payment.settled_cents - payment.fee_cents,
        currency=payment.currency,
        payment_ref=payment.provider_ref or "",
        account=account,
    )


def passing_back(session: Session, gone: Refund | Dispute, payment: Payment, account: str) -> Passing:
    """So much of the transfer as went back of the payment: by a refund, or by a dispute that was lost."""
    passed = payment.settled_cents - payment.fee_cents
    return Passing(
        uid=gone.uid,
        operator_uid=operator_uid(session, payment.operator_id),
        cents=passed * gone.amount_cents // payment.settled_cents,
        currency=payment.currency,
        payment_ref=payment.provider_ref or "",
        account=account,
        ref=payment.transfer_ref,
        because="refund" if isinstance(gone, Refund) else "dispute",
    )


def stops_at(payment: Payment) -> datetime:
    """When what waits for the payer is stopped: sooner where a booking is held meanwhile."""
    return payment.requested_at + (states.HELD_FOR_PAYER if payment.booking_uid else states.PAYER_HAS)


def account_of(session: Session, operator_id: int) -> str | None:
    """The operator's own account at the provider, where another takes its payments (mode `connected`)."""
    account = session.get(PaymentAccount, operator_id)
    return account.provider_account if account and account.provider_mode == "connected" else None


def operator_uid(session: Session, operator_id: int) -> UUID:
    return session.get_one(Operator, operator_id).uid


def party_uid(session: Session, party_id: int) -> UUID:
    return session.get_one(Party, party_id).uid


def _pay_by(payment: Payment) -> int | None:
    """In whole seconds, and of the row alone: asked again, it is the same."""
    return int(stops_at(payment).timestamp()) if payment.booking_uid else None


def _label(session: Session, payment: Payment) -> str:
    """Numbers of invoices do not change; names do."""
    aimed = select(Invoice.number).join(PaymentAim, PaymentAim.invoice_id == Invoice.id)
    numbers = session.scalars(aimed.where(PaymentAim.payment_id == payment.id).order_by(Invoice.id)).all()
    return ", ".join(numbers)[:LONGEST_LABEL]
