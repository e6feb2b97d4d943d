"""Asking a party for money through the provider: a row with what it is for, and a call that is due at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert as insert_into
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.payments.models import Payment, PaymentAccount, PaymentAim, PaymentMethod
from app.billing.payments.orders import operator_uid, party_uid
from app.errors import Invalid, Problem, WrongState
from app.events.outbox import insert_event
from app.events.payment_facts import PaymentRequested
from app.ids import new_id
from app.network.models import Operator

PROVIDER = "stripe"
KINDS = ("card", "bancontact", "sepa_debit", "any")
MODES = ("automatic", "present", "hosted")


class ProviderNotSet(Problem):
    """The operator takes no payments through a provider: it is paid by transfer and at the desk."""

    code = "provider_not_set"
    status = 409
    title = "This operator takes no payments online; pay by transfer or at the desk."


class RequestedOtherwise(Problem):
    """Its source asked before, for something else: a fault of whoever asks, never to be passed over."""

    code = "requested_otherwise"
    status = 409
    title = "This was asked for before, with another amount or from somebody else."


def request_payment(
    session: Session,
    *,
    operator_id: int,
    party_id: int,
    aims: Mapping[int, int],
    kind: str,
    mode: str,
    source: str,
    method: PaymentMethod | None = None,
    booking_uid: UUID | None = None,
    cents: int | None = None,
    return_url: str | None = None,
    retries: Payment | None = None,
    now: datetime,
) -> Payment:
    """Ask a party for `aims` (cents by invoice), or for `cents` where there is no invoice yet, in the operator's
    currency. The same source once more is the same payment.

    `automatic` charges `method`, a means that the party saved; `present` and `hosted` wait for the payer. `retries` is
    the failed payment that this one follows. Raises Invalid, ProviderNotSet, WrongState, RequestedOtherwise.
    """
    amount = sum(aims.values()) if cents is None else cents
    _check(kind, mode, aims, amount, return_url)
    _check_account(session, operator_id)
    _check_method(method, mode, operator_id, party_id)
    if retries is not None and retries.state != "failed":
        raise WrongState(state=retries.state, remedy="only what has failed is tried again")
    values = {
        "uid": new_id(), "operator_id": operator_id, "party_id": party_id, "source": source, "provider": PROVIDER,
        "kind": method.kind if method else kind, "amount_cents": amount, "currency": _currency(session, operator_id),
        "mode": mode, "payment_method_id": method.id if method else None, "booking_uid": booking_uid,
        "retries_id": retries.id if retries else None, "return_url": return_url, "requested_at": now,
        "next_look_at": now,
    }  # fmt: skip
    made = insert(Payment).values(values).on_conflict_do_nothing(index_elements=["source"]).returning(Payment)
    payment = session.scalars(made).one_or_none()
    if payment is None:
        return _known(session, values)
    if aims:
        rows = [{"payment_id": payment.id, "invoice_id": key, "cents": aims[key]} for key in sorted(aims)]
        session.execute(insert_into(PaymentAim), rows)
    _tell(session, payment, now)
    return payment


def _check(kind: str, mode: str, aims: Mapping[int, int], amount: int, return_url: str | None) -> None:
    if kind not in KINDS:
        raise Invalid.field("kind", f"must be one of {', '.join(KINDS)}")
    if mode not in MODES:
        raise Invalid.field("mode", f"must be one of {', '.join(MODES)}")
    if amount <= 0 or any(part <= 0 for part in aims.values()):
        raise Invalid.field("amount_cents", "must be at least a cent")
    if aims and amount != sum(aims.values()):
        raise Invalid.field("amount_cents", "must be the sum of what the invoices are paid")
    if mode == "hosted" and not return_url:
        raise Invalid.field("return_url", "say where the payer comes back to from the provider's page")


def _check_account(session: Session, operator_id: int) -> None:
    account = session.get(PaymentAccount, operator_id)
    if account is None or account.provider_mode == "none":
        raise ProviderNotSet()


def _check_method(method: PaymentMethod | None, mode: str, operator_id: int, party_id: int) -> None:
    if (mode == "automatic") != (method is not None):
        raise Invalid.field("payment_method_id", "a saved means is for automatic payments, and those need one")
    if method is None:
        return
    if (method.operator_id, method.party_id) != (operator_id, party_id):
        raise Invalid.field("payment_method_id", "that means of payment belongs to another party or operator")
    if method.state != "active":
        raise WrongState(state=method.state, remedy="save a means of payment that is active")


def _currency(session: Session, operator_id: int) -> str:
    return session.scalars(select(Operator.currency).where(Operator.id == operator_id)).one()


def _known(session: Session, values: Mapping[str, object]) -> Payment:
    """What was asked for under that source; raises RequestedOtherwise when that was something else."""
    found = session.scalars(select(Payment).where(Payment.source == values["source"])).one()
    if any(getattr(found, name) != values[name] for name in ("operator_id", "party_id", "amount_cents", "currency")):
        raise RequestedOtherwise(payment_id=str(found.uid), source=found.source)
    return found


def _tell(session: Session, payment: Payment, now: datetime) -> None:
    fact = PaymentRequested(
        payment_id=str(payment.uid),
        operator_id=str(operator_uid(session, payment.operator_id)),
        party_id=str(party_uid(session, payment.party_id)),
        kind=payment.kind,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        booking_id=str(payment.booking_uid) if payment.booking_uid else None,
    )
    insert_event(session, fact, aggregate_id=payment.uid, seq=1, at=now)
