"""Money that came finds the invoices it pays, what is left over is credit, and nothing is given twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.crediting import Part, credit
from app.billing.invoices.models import Invoice
from app.billing.payments.allocating import after_credit_note, allocate_payment, release, use_credit
from app.billing.payments.models import Allocation, MoneyTask, Payment, PaymentAim
from app.billing.payments.receiving import ReceivedOtherwise
from app.billing.payments.refunding import request_refund
from app.db import TenantSession, raw, transaction
from app.errors import Invalid
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of, given_by, left_of, money_of, on_account, tasks_of
from tests.builders import a_space, saved

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)


class House:
    """An operator with a customer."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.space = a_space(session)
        self.party = a_party(session)

    def invoice(self, gross: int, *, terms_days: int | None = None) -> Invoice:
        return an_invoice_of(self.session, self.space, self.party, gross=gross, now=NOW, terms_days=terms_days)

    def money(self, cents: int, **values: Any) -> Payment:
        return money_of(self.session, self.space, self.party, cents, now=NOW, **values)

    def asked_for(self, *aims: tuple[Invoice, int], kind: str = "card") -> Payment:
        """A running payment that was asked for these."""
        asked = {"source": f"asked:{aims}", "provider": "stripe", "kind": kind, "currency": "EUR"}
        whose = {"operator_id": self.space.operator_id, "party_id": self.party.id}
        payment = saved(self.session, Payment(**whose, **asked, amount_cents=sum(part for _, part in aims)))
        self.session.add_all(PaymentAim(payment_id=payment.id, invoice_id=each.id, cents=part) for each, part in aims)
        self.session.flush()
        return payment

    def left(self, *invoices: Invoice) -> list[int]:
        return [left_of(self.session, invoice) for invoice in invoices]

    @property
    def tasks(self) -> list[tuple[str, int]]:
        return tasks_of(self.session, self.space)


@pytest.fixture
def house(make_session: sessionmaker[TenantSession]) -> Iterator[House]:
    with transaction(make_session, SYSTEM) as session:
        yield House(session)


def test_money_pays_what_it_was_meant_for_and_is_posted_once(house: House) -> None:
    first, second = house.invoice(5000), house.invoice(7000)
    payment = house.money(7000, aims={second: 7000}, source="bank:1")
    assert house.left(first, second) == [5000, 0]
    assert house.money(7000, aims={second: 7000}, source="bank:1").id == payment.id
    assert (on_account(house.session, house.space, "bank"), house.tasks) == (7000, [])
    assert on_account(house.session, house.space, "receivable") == 5000
    with pytest.raises(ReceivedOtherwise):
        house.money(7001, aims={second: 7000}, source="bank:1")
    with pytest.raises(Invalid):
        house.money(0)


def test_money_meant_for_nothing_pays_what_is_due_first(house: House) -> None:
    late, soon = house.invoice(5000, terms_days=30), house.invoice(7000, terms_days=8)
    payment = house.money(9000)
    assert given_by(house.session, payment) == {soon.id: 7000, late.id: 2000}
    assert house.tasks == []
    assert allocate_payment(house.session, payment, now=NOW) == 0


def test_what_does_not_fit_is_credit_and_a_person_is_told_why(house: House) -> None:
    house.money(300)
    assert house.tasks == [("no_invoice", 300)]
    first = house.invoice(5000)
    house.money(5100, aims={first: 5000})
    house.money(5000, aims={first: 5000})
    house.money(40)
    second = house.invoice(1000)
    house.money(900, aims={second: 1000})
    kinds = [("no_invoice", 300), ("overpaid", 100), ("double", 5000), ("no_invoice", 40), ("underpaid", 100)]
    assert house.tasks == kinds and house.left(first, second) == [0, 100]


def test_credit_pays_the_next_invoice_oldest_money_first(house: House) -> None:
    old, new = house.money(300), house.money(500)
    invoice = house.invoice(700)
    assert (use_credit(house.session, invoice.id, now=NOW), use_credit(house.session, invoice.id, now=NOW)) == (700, 0)
    assert (given_by(house.session, old), given_by(house.session, new)) == ({invoice.id: 300}, {invoice.id: 400})
    still_open = house.session.scalars(select(MoneyTask.payment_id).where(MoneyTask.closed_at.is_(None))).all()
    assert still_open == [new.id]
    other = an_invoice_of(house.session, house.space, a_party(house.session), gross=100, now=NOW)
    assert use_credit(house.session, other.id, now=NOW) == 0


def test_credit_and_money_without_aim_leave_alone_what_a_running_payment_was_asked_for(house: House) -> None:
    house.money(300)
    invoice = house.invoice(700)
    running = house.asked_for((invoice, 600))
    assert use_credit(house.session, invoice.id, now=NOW) == 100
    house.money(50)
    assert house.left(invoice) == [600]
    running.state, running.failed_at = "failed", NOW
    assert use_credit(house.session, invoice.id, now=NOW) == 250


def test_what_goes_away_takes_credit_first_and_the_newest_allocations_then(house: House) -> None:
    first, second = house.invoice(500, terms_days=8), house.invoice(400, terms_days=9)
    payment = house.money(1000)
    assert release(house.session, payment, 100, source="a", now=NOW) == 0
    assert release(house.session, payment, 350, source="b", now=NOW) == 250
    assert house.left(first, second) == [0, 250]
    assert release(house.session, payment, 900, source="b", now=NOW) == 0
    assert release(house.session, payment, 1000, source="c", now=NOW) == 650
    assert house.left(first, second) == [500, 400] and given_by(house.session, payment) == {}


def test_a_credit_note_of_a_paid_invoice_frees_what_was_paid_and_no_more(house: House) -> None:
    invoice = house.invoice(1000)
    old, new = house.money(600), house.money(400)
    credit(house.session, invoice, [Part(1, cents=450)], now=NOW)
    for freed in (450, 0):
        assert after_credit_note(house.session, invoice.id, now=NOW) == freed
    assert house.left(invoice) == [0] and house.tasks == [("credited", 400), ("credited", 50)]
    assert given_by(house.session, new) == {} and given_by(house.session, old) == {invoice.id: 550}
    request_refund(house.session, new, cents=400, reason="credit", source="r", now=NOW)
    assert house.left(invoice) == [0]
    following = house.invoice(1000)
    assert use_credit(house.session, following.id, now=NOW) == 50


def test_money_for_a_booking_waits_for_its_invoice(house: House) -> None:
    invoice = house.invoice(1000)
    payment = house.asked_for((invoice, 1000))
    house.session.execute(raw("DELETE FROM payment_aim"))
    payment.booking_uid, payment.state, payment.settled_at, payment.settled_cents = payment.uid, "settled", NOW, 1000
    assert allocate_payment(house.session, payment, now=NOW) == 0
    assert house.left(invoice) == [1000] and house.tasks == []
    assert use_credit(house.session, invoice.id, now=NOW) == 1000


@pytest.mark.parametrize(
    "cents, said", [(201, "pays|has"), (101, "settled"), (-1, "pays 0 cents")], ids=["money", "invoice", "opposite"]
)
def test_the_database_itself_refuses_more_than_either_has(house: House, cents: int, said: str) -> None:
    payment, invoice = house.money(200), house.invoice(1000 if cents == 201 else 100)
    whose = {"operator_id": house.space.operator_id, "payment_id": payment.id, "invoice_id": invoice.id}
    with pytest.raises(DBAPIError, match=said), house.session.begin_nested():
        house.session.execute(insert(Allocation).values(**whose, cents=cents, source="x"))


def test_the_database_refuses_to_pay_for_others_and_to_change_what_was_given(house: House) -> None:
    payment = house.money(200)
    other = an_invoice_of(house.session, house.space, a_party(house.session), gross=100, now=NOW)
    whose = {"operator_id": house.space.operator_id, "payment_id": payment.id, "invoice_id": other.id}
    with pytest.raises(DBAPIError, match="not of the operator and party"), house.session.begin_nested():
        house.session.execute(insert(Allocation).values(**whose, cents=1, source="x"))
    use_credit(house.session, house.invoice(100).id, now=NOW)
    for change in ("UPDATE allocation SET cents = 1", "DELETE FROM allocation"):
        with pytest.raises(DBAPIError, match="never changed"), house.session.begin_nested():
            house.session.execute(raw(change))
