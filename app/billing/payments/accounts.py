"""How an operator is paid: its bank account as payers need it, and the provider, if it has one."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.payments.models import PaymentAccount
from app.errors import Invalid, NotAllowed
from app.network.models import Operator
from app.network.people import Person
from app.network.roles import ADMINISTER

BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")  # ISO 9362
CREDITOR = re.compile(r"[A-Z]{2}\d\d[A-Z0-9]{3}[A-Z0-9]{1,28}")  # EPC262-08
MODES = ("none", "own", "connected")


class Account(NamedTuple):
    """What payers and files need of an operator; `holder` is its own name unless the bank knows it by another."""

    holder: str
    iban: str
    bic: str | None
    creditor_identifier: str | None
    provider_mode: str
    provider_account: str | None


def account_of(session: Session, operator: Operator) -> Account:
    """By transfer and at the desk, where nothing was chosen. Payers read it too: it is on every invoice."""
    row = session.get(PaymentAccount, operator.id)
    if row is None:
        return Account(operator.name, operator.iban, None, None, "none", None)
    return Account(
        row.holder or operator.name, operator.iban, row.bic, row.creditor_identifier, row.provider_mode,
        row.provider_account,
    )  # fmt: skip


def choose_account(
    session: Session, operator: Operator, *, holder: str, bic: str | None, creditor_identifier: str | None,
    provider_mode: str, provider_account: str | None, person: Person,
) -> Account:  # fmt: skip
    """Change how an operator is paid. Who keeps its books may; whose account the provider pays is for an administrator.

    Raises Invalid, NotAllowed.
    """
    _check(bic, creditor_identifier, provider_mode, provider_account)
    before = account_of(session, operator)
    changed = (provider_mode, provider_account) != (before.provider_mode, before.provider_account)
    if changed and not any(grant.role == "admin" for grant in person.grants):
        raise NotAllowed(needed=ADMINISTER, remedy="an administrator connects the provider")
    values = {
        "holder": holder, "bic": bic, "creditor_identifier": creditor_identifier, "provider_mode": provider_mode,
        "provider_account": provider_account,
    }  # fmt: skip
    made = insert(PaymentAccount).values(operator_id=operator.id, **values)
    session.execute(made.on_conflict_do_update(index_elements=["operator_id"], set_=values))
    mine = select(PaymentAccount).where(PaymentAccount.operator_id == operator.id)
    session.scalars(mine.execution_options(populate_existing=True)).one()
    return account_of(session, operator)


def _check(bic: str | None, creditor_identifier: str | None, provider_mode: str, provider_account: str | None) -> None:
    for holds, field, remedy in (
        (bic is None or BIC.fullmatch(bic), "bic", "8 or 11 letters and digits, as GKCCBEBB"),
        (creditor_identifier is None or is_creditor(creditor_identifier), "creditor_identifier",
         "a SEPA creditor identifier, whose check digits are right"),
        (provider_mode in MODES, "provider_mode", f"must be one of {', '.join(MODES)}"),
        ((provider_mode == "connected") == (provider_account is not None), "provider_account",
         "goes with provider_mode connected, and only with it"),
    ):  # fmt: skip
        if not holds:
            raise Invalid.field(field, remedy)


def is_creditor(identifier: str) -> bool:
    """EPC262-08: without its business code, and turned as an IBAN is, the number leaves 1 when divided by 97."""
    if not CREDITOR.fullmatch(identifier):
        return False
    turned = identifier[7:] + identifier[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1
