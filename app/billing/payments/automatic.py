"""Invoices that pay themselves: of a party that saved a means for it, what is open is charged at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments import standing
from app.billing.payments.allocating import use_credit
from app.billing.payments.methods import automatic_method
from app.billing.payments.models import Payment, PaymentAccount
from app.billing.payments.requesting import request_payment


def pay_invoice(session: Session, invoice_uid: UUID, *, now: datetime) -> Payment | None:
    """Charge what the party's credit leaves open of an invoice, and no running payment was asked for; None where
    nothing is, or nobody agreed to it. Once per invoice: what fails is tried again by whoever reminds."""
    invoice = session.scalars(select(Invoice).where(Invoice.uid == invoice_uid)).one()
    method = automatic_method(session, operator_id=invoice.operator_id, party_id=invoice.party_id)
    account = session.get(PaymentAccount, invoice.operator_id)
    use_credit(session, invoice.id, now=now)
    due = standing.look_at_invoice(session, invoice.id)
    if method is None or due is None or account is None or account.provider_mode == "none":
        return None
    cents = due.left_cents - due.awaited_cents
    if cents <= 0:
        return None
    return request_payment(
        session, operator_id=invoice.operator_id, party_id=invoice.party_id, aims={invoice.id: cents},
        kind=method.kind, mode="automatic", source=f"invoice:{invoice.uid}:automatic", method=method, now=now,
    )  # fmt: skip
