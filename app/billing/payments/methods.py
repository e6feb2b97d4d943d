"""Means of payment that a party saves with the provider: we keep its references and what the party knows it by."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing.payments import states
from app.billing.payments.models import PaymentAccount, PaymentMethod
from app.billing.payments.port import Found, Heard
from app.billing.payments.requesting import PROVIDER, ProviderNotSet
from app.errors import Invalid, WrongState

KINDS = ("card", "bancontact", "sepa_debit")
MODES = ("present", "hosted")


def save_method(
    session: Session, *, operator_id: int, party_id: int, kind: str, mode: str, automatic: bool = False,
    return_url: str | None = None, now: datetime,
) -> PaymentMethod:  # fmt: skip
    """Begin to save a means of payment; it is active once the payer has entered it, and agreed to the mandate.

    With `automatic`, invoices of the operator are paid with it from then on, and with no other of the party's.
    Raises Invalid, ProviderNotSet.
    """
    if kind not in KINDS:
        raise Invalid.field("kind", f"must be one of {', '.join(KINDS)}")
    if mode not in MODES:
        raise Invalid.field("mode", f"must be one of {', '.join(MODES)}")
    if mode == "hosted" and not return_url:
        raise Invalid.field("return_url", "say where the payer comes back to from the provider's page")
    account = session.get(PaymentAccount, operator_id)
    if account is None or account.provider_mode == "none":
        raise ProviderNotSet()
    method = PaymentMethod(
        operator_id=operator_id, party_id=party_id, provider=PROVIDER, kind=kind, mode=mode, automatic=automatic,
        return_url=return_url, created_at=now, next_look_at=now, state="pending", looks=0, claims=0,
    )  # fmt: skip
    session.add(method)
    session.flush()
    return method


def make_automatic(session: Session, method: PaymentMethod) -> None:
    """Pay the operator's invoices with this one from now on, instead of any other. Raises WrongState."""
    if method.state != "active":
        raise WrongState(state=method.state, remedy="finish saving it first")
    _the_only_automatic(session, method)
    method.automatic = True
    session.flush()


def revoke(session: Session, method: PaymentMethod, *, now: datetime) -> None:
    """Never charge it again. What was begun with it goes on. Again changes nothing."""
    if method.state != "revoked":
        method.state, method.revoked_at, method.automatic, method.next_look_at = "revoked", now, False, None
        session.flush()


def automatic_method(session: Session, *, operator_id: int, party_id: int) -> PaymentMethod | None:
    """What a party's invoices of an operator are paid with by themselves."""
    whose = (PaymentMethod.operator_id == operator_id, PaymentMethod.party_id == party_id)
    wanted = select(PaymentMethod).where(*whose, PaymentMethod.automatic, PaymentMethod.state == "active")
    return session.scalars(wanted).one_or_none()


def hear(session: Session, method: PaymentMethod, heard: Heard, *, evidence: str | None, now: datetime) -> None:
    """Write down what was heard about a means of payment whose row is held, and when to look again."""
    found, method.looks = heard.found or Found(None), method.looks + 1
    method.provider_setup = found.ref or method.provider_setup
    method.provider_customer = found.customer or method.provider_customer
    if method.state == "pending" and evidence == states.SETTLED:
        _activate(session, method, found, now)
    elif method.state == "pending" and (evidence == states.FAILED or now - method.created_at > states.PAYER_HAS):
        revoke(session, method, now=now)
    waits = "action_needed" if evidence == states.ACTION else "unknown"
    due = states.next_look(waits, looks=method.looks - 1, processing=False, now=now)
    method.next_look_at = due if method.state == "pending" else None
    session.flush()


def _activate(session: Session, method: PaymentMethod, found: Found, now: datetime) -> None:
    if method.automatic:
        _the_only_automatic(session, method)
    method.state, method.active_at = "active", now
    method.provider_method, method.mandate = found.method, found.mandate
    method.kind, method.label = found.kind or method.kind, found.label


def _the_only_automatic(session: Session, method: PaymentMethod) -> None:
    whose = (PaymentMethod.operator_id == method.operator_id, PaymentMethod.party_id == method.party_id)
    others = update(PaymentMethod).where(*whose, PaymentMethod.id != method.id, PaymentMethod.state == "active")
    session.execute(others.values(automatic=False).execution_options(synchronize_session="fetch"))
