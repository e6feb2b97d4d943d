"""An operator with its creditor identifier, and a customer who owes it and signed a mandate."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments.models import MoneyTask, Payment, PaymentAccount, Refund
from app.billing.payments.receiving import receive
from app.billing.payments.refunding import request_refund
from app.billing.sepa import making, mandates
from app.billing.sepa.models import SepaFile, SepaItem, SepaMandate
from app.db import raw
from app.network.models import Space
from app.network.parties.models import Party
from tests.billing.bank.house import NOW, an_owed_operator, credited, imported, operator_of, statement
from tests.builders import saved
from tests.oracles.bank.debts import Debt, account_of, debts
from tests.oracles.bank.writing import Entry, Transaction

OWED = debts(random.Random(4), count=6, prefix="ATH")
TODAY = NOW.date()
DUE = date(2026, 12, 1)
DEBITED, UNPAID = ("PMNT", "IDDT", "ESDD"), ("PMNT", "IDDT", "UPDD")


class Debtor(NamedTuple):
    space: Space
    invoice: Invoice
    party: Party
    mandate: SepaMandate


def a_debtor(session: Session, owed: list[Debt] | None = None) -> Debtor:
    space = an_owed_operator(session, owed or OWED[:1])
    saved(session, PaymentAccount(operator_id=space.operator_id, creditor_identifier="BE68ZZZ0123456789"))
    mine = select(Invoice).where(Invoice.operator_id == space.operator_id).order_by(Invoice.id)
    invoice = session.scalars(mine).first()
    assert invoice is not None
    party = session.get_one(Party, invoice.party_id)
    return Debtor(space, invoice, party, signed(session, space, party, "ATH-1"))


def signed(session: Session, space: Space, party: Party, reference: str) -> SepaMandate:
    mandate = mandates.sign(
        session, operator_of(session, space), party_id=party.uid, reference=reference, scheme="CORE",
        signed_on=date(2026, 1, 5), debtor_name=party.name, iban=account_of(77), bic=None, now=NOW,
    )  # fmt: skip
    session.commit()
    return mandate


def a_refund(session: Session) -> tuple[Space, Refund]:
    """A house in which a transfer came, and is to be given back."""
    space, debt = an_owed_operator(session, OWED), OWED[0]
    line = credited(
        debt.cents, servicer="IN", structured=debt.communication, name=debt.payer.name, account=debt.payer.account
    )
    imported(session, space, statement(line))
    payment = session.scalars(select(Payment).where(Payment.operator_id == space.operator_id)).one()
    refund = request_refund(session, payment, cents=debt.cents, reason="credit", source="test:1", now=NOW)
    session.commit()
    return space, refund


def made(session: Session, space: Space, home: Path, kind: str = "debit", on: date = DUE) -> list[SepaFile]:
    found = making.make_files(session, operator_of(session, space), kind, home=home, execution_on=on, now=NOW)
    session.commit()
    return found


def items(session: Session, *states: str) -> list[SepaItem]:
    wanted = select(SepaItem).order_by(SepaItem.id).execution_options(populate_existing=True)
    return list(session.scalars(wanted.where(SepaItem.state.in_(states)) if states else wanted))


def tasks(session: Session, kind: str) -> list[MoneyTask]:
    return list(session.scalars(select(MoneyTask).where(MoneyTask.kind == kind).order_by(MoneyTask.id)))


def pay(session: Session, debtor: Debtor, cents: int) -> None:
    receive(
        session, operator_id=debtor.space.operator_id, party_id=debtor.party.id, kind="transfer", provider="bank",
        cents=cents, currency="EUR", aims={debtor.invoice.id: cents}, source=f"test:{cents}", day=TODAY, now=NOW,
    )  # fmt: skip
    session.commit()


def waits(session: Session) -> bool:
    """Whether somebody waits for a row in this database."""
    session.rollback()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(session.execute(raw(waiting)).scalar_one())


def comes_and_goes_back(session: Session, space: Space, item: SepaItem, reason: str) -> None:
    """The bank collects a debit, and a day later the debtor's bank takes it back."""
    name = item.end_to_end_id
    came = Transaction(item.cents, f"IN{item.id}", end_to_end=name)
    imported(session, space, statement(Entry(TODAY, (came,), DEBITED), reference=f"IN{item.id}"))
    back = Transaction(-item.cents, f"BACK{item.id}", end_to_end=name, returned=reason)
    later = TODAY + timedelta(days=1)
    imported(session, space, statement(Entry(later, (back,), UNPAID), reference=f"BACK{item.id}"))


def in_one_sum(cents: int, name: str, *, reference: str = "S1", tag: str = "MsgId", **more: Any) -> bytes:
    """A statement with one booking of a whole file of ours."""
    entry = Entry(TODAY, (Transaction(cents, reference),), DEBITED if cents > 0 else ("PMNT", "ICDT", "ESCT"))
    batch = f"<NtryDtls><Btch><{tag}>{name}</{tag}></Btch>"
    return statement(entry, *more.pop("then", ()), reference=reference).replace(b"<NtryDtls>", batch.encode(), 1)
