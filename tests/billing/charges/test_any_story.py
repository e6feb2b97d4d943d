"""Any story of some bookings, its events delivered again at random, documents and closings in between: in the end what
was charged is what is due by the whole story read anew, the ledger sums to zero, and what is earned is the revenue."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges.models import Charge
from tests.billing.charges.builders import VAT_BE, a_party, an_invoice
from tests.billing.charges.till import MADE_AT, Till, Told, a_price

FR = {**VAT_BE, "permille": 200, "ground": "CGI, art. 278"}
FROM = {  # what may happen in a state, and the state that follows
    "held": ["accepted", "waits", "cancelled"],
    "pending": ["approved", "refused", "cancelled", "moved"],
    "confirmed": ["cancelled", "moved", "moved", "completed", "no_show"],
}

prices = st.tuples(st.integers(0, 20_000), st.integers(0, 100), st.booleans(), st.integers(0, 60), st.booleans())
steps = st.lists(
    st.tuples(
        st.integers(0, 2),  # whose turn: of three bookings
        st.integers(0, 5),  # which of what may happen
        prices,
        st.integers(0, 110),  # the fee, in percent of the price: a move may have made it dearer than that
        st.sampled_from(["", "", "", "again", "document", "close"]),
    ),
    min_size=4,
    max_size=16,
)


class Story(Told):
    """A booking with what it ought to owe: told by nothing but the last price, the fee and the status."""

    status, gross, fee = "", 0, 0

    def happen(self, choice: int, price: tuple[int, int, bool, int, bool], percent: int, payer: str) -> None:
        if not self.status:
            self.status = ["confirmed", "held", "pending"][choice % 3]
            self._priced("made", price, payer, self.status)
        elif may := FROM.get(self.status):
            self._go_on(may[choice % len(may)], price, percent, payer)

    def _go_on(self, name: str, price: tuple[int, int, bool, int, bool], percent: int, payer: str) -> None:
        if name == "moved":
            self.status = "pending" if price[0] % 5 == 0 else "confirmed"
            self._priced("moved", price, payer, self.status)
        elif name == "cancelled":
            self.fee = self.gross * percent // 100 if self.status == "confirmed" else 0
            self.status = "cancelled"
            self.tell("cancelled", reason="member", fee_cents=self.fee)
        elif name == "waits":
            self.status = "pending"
            self.tell("accepted", status="pending")
        else:
            self.status = {"approved": "confirmed", "accepted": "confirmed"}.get(name, name)
            self.tell(name)

    def _priced(self, name: str, price: tuple[int, int, bool, int, bool], payer: str, status: str) -> None:
        net, percent, french, days, other = price
        vat = FR if french else VAT_BE
        whole = a_price(net, permille=vat["permille"])["gross_cents"]
        self.gross = whole * percent // 100
        start = MADE_AT + timedelta(days=days)
        told = {"permille": vat["permille"], "vat": vat, "payer_id": payer if other else None}
        self.tell(name, status=status, **a_price(net, money=self.gross, start=start, **told))

    @property
    def due(self) -> int:
        return self.gross if self.status in ("confirmed", "completed", "no_show") else self.fee

    @property
    def earns(self) -> bool:
        return self.status in ("completed", "no_show") or self.fee > 0


@pytest.fixture
def till(session: Session) -> Till:
    return Till(session)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=steps)
def test_charges_ledger_and_income_follow_any_story(till: Till, story: list[Any]) -> None:
    savepoint = till.session.begin_nested()
    try:
        _play(till, story)
    finally:
        savepoint.rollback()
        till.session.expire_all()


def _play(till: Till, story: list[Any]) -> None:
    till.now = MADE_AT
    payer = str(a_party(till.session).uid)
    bookings = [Story(till) for _ in range(3)]
    for whose, choice, price, percent, besides in story:
        bookings[whose].happen(choice, price, percent, payer)
        if besides == "again":
            for told in bookings:
                for index in range(len(told.heard)):
                    told.again(index)
        elif besides:
            {"document": _document, "close": _close}[besides](till)
    for told in bookings:
        assert sum(told.cents) == told.due, told.status
        assert all(charge.earned_on is not None for charge in told.charges) or not told.earns
        assert told.earned == (sum(charge.net_cents for charge in told.charges) if told.earns else 0)
        _no_charge_gives_more_than_it_had(told.charges)
    balances = till.balances()
    earned = sum(told.earned for told in bookings)
    assert sum(cents for account, cents in balances.items() if account.startswith("revenue")) == -earned
    assert sum(balances.values()) == 0


def _no_charge_gives_more_than_it_had(charges: list[Charge]) -> None:
    by_id = {charge.id: charge for charge in charges}
    left = {charge.id: charge.gross_cents for charge in charges if charge.corrects_id is None}
    for charge in charges:
        if charge.corrects_id is not None:
            root = by_id[charge.corrects_id]
            assert (charge.vat_permille, charge.party_id) == (root.vat_permille, root.party_id)
            left[root.id] += charge.gross_cents
    assert all(cents >= 0 for cents in left.values())


def _document(till: Till) -> None:
    """All that is charged so far, on a document each."""
    for charge in till.session.scalars(select(Charge).where(Charge.invoice_id.is_(None))).all():
        document = an_invoice(till.session, operator_id=till.operator.id, party_id=charge.party_id)
        till.session.execute(update(Charge).where(Charge.id == charge.id).values(invoice_id=document.id))


def _close(till: Till) -> None:
    """The next month is closed once it is over: time passes until then."""
    books = months.hold_books(till.session, till.operator.id)
    month = books.first_open or date(2026, 3, 1)
    till.now = max(till.now, months.end_of(till.session, till.operator.id, month))
    assert months.close(till.session, till.operator.id, month, till.now)
