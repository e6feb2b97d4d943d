"""Whatever is invoiced, paid, credited and given back, in whatever order: no cent appears or vanishes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.crediting import Part, credit
from app.billing.invoices.models import Invoice
from app.billing.months import hold_books
from app.billing.payments import refunding, states
from app.billing.payments.allocating import after_credit_note, use_credit
from app.billing.payments.models import Allocation, Payment, Refund
from app.db import TenantSession, transaction
from app.errors import Problem
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of, money_of, on_account
from tests.builders import a_space

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)
CENTS = st.integers(1, 1200)
WHICH = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("invoice"), CENTS, WHICH),
    st.tuples(st.just("pay"), CENTS, WHICH),
    st.tuples(st.just("pay_anything"), CENTS, WHICH),
    st.tuples(st.just("credit"), st.integers(1, 1200), WHICH),
    st.tuples(st.just("refund"), CENTS, WHICH),
    st.tuples(st.just("given"), CENTS, WHICH),
    st.tuples(st.just("failed"), CENTS, WHICH),
)


class Customer:
    """A customer of an operator, and beside the product the plain sums of what was done to them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.space = a_space(session)
        self.party = a_party(session)
        self.invoices: list[Invoice] = []
        self.payments: list[Payment] = []
        self.refunds: list[Refund] = []
        self.owed = 0  # invoiced, not credited, not paid, or given back

    def do(self, step: str, cents: int, which: int) -> None:
        with suppress(Problem, IndexError, ZeroDivisionError), self.session.begin_nested():
            getattr(self, f"_{step}")(cents, which)

    def _invoice(self, cents: int, _which: int) -> None:
        invoice = an_invoice_of(self.session, self.space, self.party, gross=cents, now=NOW)
        self.invoices.append(invoice)
        self.owed += cents
        use_credit(self.session, invoice.id, now=NOW)

    def _pay(self, cents: int, which: int) -> None:
        invoice = self.invoices[which % len(self.invoices)]
        aims = {invoice: invoice.gross_cents}
        self.payments.append(money_of(self.session, self.space, self.party, cents, aims=aims, now=NOW))
        self.owed -= cents

    def _pay_anything(self, cents: int, _which: int) -> None:
        self.payments.append(money_of(self.session, self.space, self.party, cents, now=NOW))
        self.owed -= cents

    def _credit(self, cents: int, which: int) -> None:
        invoice = self.invoices[which % len(self.invoices)]
        made = credit(self.session, invoice, [Part(1, cents=cents)], again=True, now=NOW)
        self.owed -= made.gross_cents
        after_credit_note(self.session, invoice.id, now=NOW)

    def _refund(self, cents: int, which: int) -> None:
        payment = self.payments[which % len(self.payments)]
        source = f"refund:{len(self.refunds)}:{payment.uid}"
        self.refunds.append(
            refunding.request_refund(self.session, payment, cents=cents, reason="x", source=source, now=NOW)
        )

    def _given(self, _cents: int, which: int) -> None:
        self._end(which, states.SETTLED)

    def _failed(self, _cents: int, which: int) -> None:
        self._end(which, states.FAILED)

    def _end(self, which: int, evidence: str) -> None:
        refund = self.refunds[which % len(self.refunds)]
        books = hold_books(self.session, refund.operator_id)
        payment = refunding.held(self.session, refund.payment_id)
        before = refund.amount_cents if refund.state == "settled" else 0
        refunding.follow(self.session, payment, refund, evidence, None, books=books, now=NOW)
        self.session.flush()
        self.owed += (refund.amount_cents if refund.state == "settled" else 0) - before

    def check(self) -> None:
        assert on_account(self.session, self.space, "receivable") == self.owed
        given = self._sums(Allocation.payment_id, Allocation.cents)
        away = self._sums(Refund.payment_id, Refund.amount_cents, Refund.state != "failed")
        for payment in self.payments:
            free = payment.settled_cents - away.get(payment.id, 0) - given.get(payment.id, 0)
            assert 0 <= free <= payment.settled_cents
        paid = self._sums(Allocation.invoice_id, Allocation.cents)
        credited = self._sums(Invoice.corrects_id, Invoice.gross_cents)
        for invoice in self.invoices:
            assert paid.get(invoice.id, 0) >= 0
            assert paid.get(invoice.id, 0) + credited.get(invoice.id, 0) <= invoice.gross_cents
        open_cents = sum(each.gross_cents for each in self.invoices) - sum(paid.values()) - sum(credited.values())
        waiting = sum(refund.amount_cents for refund in self.refunds if refund.state == "requested")
        credit_cents = sum(each.settled_cents for each in self.payments) - sum(away.values()) - sum(given.values())
        assert open_cents - credit_cents - waiting == self.owed

    def _sums(self, key, cents, *only) -> dict[int, int]:  # type: ignore[no-untyped-def]
        rows = self.session.execute(select(key, func.sum(cents)).where(key.is_not(None), *only).group_by(key))
        return {found: int(total) for found, total in rows}


@pytest.fixture
def making(make_session: sessionmaker[TenantSession]) -> Iterator[Session]:
    with transaction(make_session, SYSTEM) as session:
        yield session


@given(steps=st.lists(STEPS, min_size=3, max_size=14))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cent_appears_or_vanishes(making: Session, steps: list[tuple[str, int, int]]) -> None:
    savepoint = making.begin_nested()
    try:
        customer = Customer(making)
        for step in [("invoice", 1000, 0), ("pay", 600, 0), *steps]:
            customer.do(*step)
        customer.check()
    finally:
        savepoint.rollback()
        making.expunge_all()
