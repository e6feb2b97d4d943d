"""A charge that waited, and what was paid meanwhile: nobody pays twice, and nobody is charged above what is owed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from app.billing.invoices.models import Invoice
from app.billing.payments.models import Payment, PaymentAccount, PaymentMethod
from app.billing.payments.port import Heard, Means, Outcome
from app.db import transaction
from app.events.models import OutboxRow
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.billing.payments.counter import left_of, money_of
from tests.billing.payments.house import House
from tests.billing.payments.scripted import BUSY, SILENCE, Scripted, answered, came
from tests.conftest import Clock

NOT_ADMITTED = Heard(Outcome.REFUSED, Means.LATER, status=401, code="api_key_expired")


@pytest.fixture
def house(make_session: Any, session: Any, clock: Clock) -> House:
    return House(make_session, session, clock)


def comes(house: House, party: Party, invoice: Invoice, cents: int) -> None:
    """By transfer, or at the desk."""
    with transaction(house.make_session, SYSTEM) as session:
        money_of(session, house.space, party, cents, now=house.clock(), aims={invoice: cents})


def a_charge_that_waits(house: House, cents: int = 4840) -> tuple[Party, Invoice, Payment]:
    party = house.party()
    invoice = house.invoice(party, cents)
    return party, invoice, house.asks(party, aims={invoice.id: cents}, source="invoice:1:automatic")


def payments_of(house: House) -> Sequence[Payment]:
    house.session.rollback()
    asked = select(Payment).where(Payment.mode == "automatic").order_by(Payment.id)
    return house.session.scalars(asked.execution_options(populate_existing=True)).all()


@pytest.mark.parametrize("before", [(), (BUSY,), (NOT_ADMITTED, BUSY)], ids=["unasked", "busy", "not admitted"])
def test_what_was_paid_meanwhile_is_not_charged(house: House, clock: Clock, before: tuple[Heard, ...]) -> None:
    party, invoice, _ = a_charge_that_waits(house)
    provider = Scripted(*before)
    for _ in before:
        house.works(provider)
        clock.pass_by(hours=1)
    comes(house, party, invoice, 4840)
    house.works(provider)
    house.works(provider)
    [given_up] = payments_of(house)
    assert provider.verbs == ["start"] * len(before)
    assert (given_up.state, given_up.failure_code, given_up.next_look_at) == ("failed", "not_owed", None)
    told = select(OutboxRow).where(OutboxRow.aggregate_id == given_up.uid).order_by(OutboxRow.id)
    assert house.session.scalars(told).all()[-1].envelope.count('"failure":"not_owed"') == 1


def test_of_what_was_paid_in_part_only_the_rest_is_charged(house: House) -> None:
    party, invoice, _ = a_charge_that_waits(house)
    comes(house, party, invoice, 1840)
    provider = Scripted(came(cents=3000))
    house.works(provider)
    house.works(provider)
    given_up, rest = payments_of(house)
    assert [(verb, each.uid, each.cents) for verb, each in provider.asked] == [("start", rest.uid, 3000)]
    assert (given_up.failure_code, rest.state) == ("not_owed", "settled")
    assert rest.source == "invoice:1:automatic:left" and rest.payment_method_id == given_up.payment_method_id
    assert left_of(house.session, invoice) == 0


@pytest.mark.parametrize("gone", ["the means", "the provider"])
def test_the_rest_is_not_charged_to_what_is_not_there_any_more(house: House, gone: str) -> None:
    party, invoice, payment = a_charge_that_waits(house)
    comes(house, party, invoice, 1840)
    with transaction(house.make_session, SYSTEM) as session:
        if gone == "the means":
            session.get_one(PaymentMethod, payment.payment_method_id).state = "revoked"
        else:
            session.get_one(PaymentAccount, house.operator_id).provider_mode = "none"
    house.works(Scripted())
    house.works(Scripted())
    [given_up] = payments_of(house)
    assert given_up.failure_code == "not_owed"


def test_what_may_have_been_charged_is_looked_for_and_not_asked_again_once_it_was_paid(
    house: House, clock: Clock
) -> None:
    party, invoice, payment = a_charge_that_waits(house)
    provider = Scripted(SILENCE, answered(None), answered(None))
    house.works(provider)
    comes(house, party, invoice, 4840)
    clock.pass_by(hours=1)
    house.works(provider)
    assert house.now_is(payment).state == "unknown"
    clock.pass_by(hours=23)
    house.works(provider)
    assert provider.verbs == ["start", "look_up", "look_up"]
    assert (house.now_is(payment).state, house.now_is(payment).failure_code) == ("failed", "never_arrived")


def test_what_is_owed_in_full_or_is_for_no_invoice_is_charged(house: House) -> None:
    party = house.party()
    house.asks(party, aims={house.invoice(party, 1000).id: 1000, house.invoice(party, 500).id: 500})
    house.asks(party, 2000, aims={})
    provider = Scripted(came(cents=1500), came("pi_2", cents=2000))
    house.works(provider)
    assert {each.cents for _, each in provider.asked} == {1500, 2000}
