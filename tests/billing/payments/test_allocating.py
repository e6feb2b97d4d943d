"""Money that came finds the invoices it pays, what is left over is credit, and nothing is given twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app.billing.invoices.crediting import Part, credit
from app.billing.payments.allocating import after_credit_note, allocate_payment, release, use_credit
from app.billing.payments.models import Allocation, Payment, PaymentAim
from app.billing.payments.receiving import ReceivedOtherwise
from app.db import TenantSession, transaction
from app.errors import Invalid
from app.network.models import Space
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.charges.builders import a_party
from tests.billing.payments.counter import an_invoice_of, given_by, left_of, money_of, on_account, tasks_of
from tests.builders import a_space

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)


class House:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.space: Space = a_space(session)
        self.party: Party = a_party(session)

    def invoice(self, gross: int, *, terms_days: int | None = None):  # type: ignore[no-untyped-def]
        return an_invoice_of(self.session, self.space, self.party, gross=gross, now=NOW, terms_days=terms_days)

    def money(self, cents: int, **values):  # type: ignore[no-untyped-def]
        return money_of(self.session, self.space, self.party, cents, now=NOW, **values)

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
    assert (left_of(house.session, first), left_of(house.session, second)) == (5000, 0)
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
