"""A house that takes money: an operator with a space, customers with invoices, and money that comes by itself."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.billing.invoices.at_once import invoice_at_once
from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.billing.ledger.models import LedgerEntry
from app.billing.payments.models import Allocation, MoneyTask, Payment
from app.billing.payments.receiving import receive
from app.network.models import Space
from app.network.parties.models import Party
from tests.billing.charges.builders import a_charge

_numbers = itertools.count(1)


def an_invoice_of(
    session: Session, space: Space, party: Party, *, gross: int, now: datetime, terms_days: int | None = None
) -> Invoice:
    """An invoice without VAT, so that its gross is what the test says."""
    charge = a_charge(
        session, operator_id=space.operator_id, party=party, net=gross, vat_cents=0, vat_permille=0, vat_category="E",
        space_id=space.id,
    )  # fmt: skip
    [made] = invoice_at_once(
        session, space.operator_id, party.uid, charges=[charge.uid], terms_days=terms_days, now=now
    )
    return session.get_one(Invoice, made.id)


def money_of(
    session: Session, space: Space, party: Party, cents: int, *, now: datetime,
    aims: Mapping[Invoice, int] | None = None, kind: str = "transfer", source: str | None = None,
    day: date | None = None,
) -> Payment:  # fmt: skip
    """Money that came, for these invoices or for whatever is open."""
    return receive(
        session, operator_id=space.operator_id, party_id=party.id, kind=kind, provider="bank", cents=cents,
        currency="EUR", aims={invoice.id: part for invoice, part in (aims or {}).items()},
        source=source or f"test:{next(_numbers)}", day=day or now.date(), now=now,
    )  # fmt: skip


def left_of(session: Session, invoice: Invoice) -> int:
    return invoice.gross_cents - settled_cents(session, [invoice])[invoice.id]


def given_by(session: Session, payment: Payment) -> dict[int, int]:
    """What a payment pays, by invoice."""
    sums = select(Allocation.invoice_id, func.sum(Allocation.cents)).where(Allocation.payment_id == payment.id)
    return {key: int(cents) for key, cents in session.execute(sums.group_by(Allocation.invoice_id)) if cents}


def tasks_of(session: Session, space: Space) -> list[tuple[str, int]]:
    """Kind and cents of an operator's tasks, in the order they were opened."""
    mine = select(MoneyTask).where(MoneyTask.operator_id == space.operator_id).order_by(MoneyTask.id)
    return [(task.kind, task.cents) for task in session.scalars(mine)]


def on_account(session: Session, space: Space, account: str) -> int:
    """What an account of the operator's ledger comes to."""
    entries = select(func.coalesce(func.sum(LedgerEntry.cents), 0))
    mine = entries.where(LedgerEntry.operator_id == space.operator_id, LedgerEntry.account == account)
    return int(session.scalars(mine).one())
