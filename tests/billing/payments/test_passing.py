"""Money that is taken for another, on its way to the other's account and back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.billing.payments.models import Payment, ProviderCall
from app.billing.payments.port import FoundDispute, FoundRefund, Heard, Means, Outcome
from app.billing.stripe_provider import Stripe
from app.timekeeper import utc_now
from tests.billing.payments.counter import tasks_of
from tests.billing.payments.house import House
from tests.billing.payments.scripted import SILENCE, Scripted, answered, came
from tests.billing.payments.stand_in import KEY, StandIn, stand_in
from tests.conftest import Clock

REFUSED = Heard(Outcome.REFUSED, Means.REFUSED, status=400, code="balance_insufficient")
PASSED, TAKEN_BACK = answered("settled", ref="tr_1"), answered("settled", ref="trr_1")


@pytest.fixture
def house(make_session: Any, session: Any, clock: Clock) -> House:
    return House(make_session, session, clock, account="acct_1")


def moved(provider: Scripted) -> list[tuple[str, int]]:
    """What was passed on and taken back, and how much."""
    return [(verb, each.cents) for verb, each in provider.asked if verb in ("transfer", "reverse")]


def lost(cents: int = 4840, **found: Any) -> Heard:
    return came(disputes=(FoundDispute("dp_1", "lost", cents, 2000),), **found)


def a_passed(house: House) -> Payment:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(came(), PASSED))
    assert house.now_is(payment).transfer_ref == "tr_1"
    return payment


def test_it_is_passed_on_and_comes_back_in_proportion(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    provider = Scripted(came(), SILENCE, PASSED)
    house.works(provider)
    clock.pass_by(minutes=1)
    house.works(provider)
    assert moved(provider) == [("transfer", 4742)] * 2
    assert house.now_is(payment).transfer_ref == "tr_1"
    refund = house.refunds(payment, 2420)
    provider = Scripted(answered("settled", ref="re_1", settled_cents=2420), TAKEN_BACK)
    house.works(provider)
    assert provider.verbs == ["refund", "reverse"] and moved(provider) == [("reverse", 2371)]
    assert house.now_is(refund).reversal_ref == "trr_1"


def test_what_went_back_before_it_was_passed_on_is_taken_back_as_soon_as_it_was(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    house.works(Scripted(came(), SILENCE))
    refund = house.refunds(payment, 2420)
    house.works(Scripted(answered("settled", ref="re_1", settled_cents=2420)))
    assert (house.now_is(refund).state, house.now_is(refund).next_look_at) == ("settled", None)
    clock.pass_by(minutes=1)
    provider = Scripted(PASSED, TAKEN_BACK)
    house.works(provider)
    assert moved(provider) == [("transfer", 4742), ("reverse", 2371)]
    assert (house.now_is(refund).reversal_ref, house.now_is(refund).next_look_at) == ("trr_1", None)


def test_what_a_payer_won_from_us_is_taken_back_once(house: House, clock: Clock) -> None:
    payment = a_passed(house)
    provider = Scripted(lost(2420), SILENCE, TAKEN_BACK, lost(2420))
    house.looks_now(payment)
    house.works(provider)
    clock.pass_by(minutes=1)
    house.works(provider)
    assert moved(provider) == [("reverse", 2371)] * 2 and provider.asked[1] == provider.asked[2]
    house.looks_now(payment)
    house.works(provider)
    assert provider.verbs[-1] == "look_up" and house.now_is(payment).next_look_at > clock.now
    keys = select(ProviderCall.idempotency_key).where(ProviderCall.verb == "reverse")
    assert set(house.session.scalars(keys)) == {f"{provider.asked[1][1].uid}:reversal"}


def test_what_was_lost_before_it_was_passed_on_is_taken_back_as_soon_as_it_was(house: House, clock: Clock) -> None:
    payment = house.asks(house.party(), 4840)
    provider = Scripted(lost(), PASSED, TAKEN_BACK)
    house.works(provider)
    assert moved(provider) == [("transfer", 4742), ("reverse", 4742)]
    assert house.now_is(payment).next_look_at > clock.now


@pytest.mark.parametrize(
    ("fee", "refunded", "then"),
    [(4840, 4840, []), (4839, 2420, [("transfer", 1)])],
    ids=["all of it was the fee", "less than a cent is to come back"],
)
def test_of_nothing_nothing_is_passed_on_or_taken_back(
    house: House, clock: Clock, fee: int, refunded: int, then: list[tuple[str, int]]
) -> None:
    payment = house.asks(house.party(), 4840)
    gone = came(fee=fee, refunds=(FoundRefund("re_1", "settled", refunded),))
    provider = Scripted(came(fee=fee), *[PASSED for _ in then], gone)
    house.works(provider)
    house.looks_now(payment)
    house.works(provider)
    assert moved(provider) == then and provider.verbs[-1] == "look_up"
    assert house.now_is(payment).next_look_at > clock.now


def test_while_it_is_refused_the_payment_is_looked_at_in_between_and_a_person_is_asked(
    house: House, clock: Clock
) -> None:
    payment = house.asks(house.party(), 4840)
    gone = came(refunds=(FoundRefund("re_1", "settled", 840),))
    provider = Scripted(came(), REFUSED, gone, PASSED, TAKEN_BACK)
    house.works(provider)
    house.looks_now(payment)
    house.works(provider)
    assert provider.verbs == ["start", "transfer", "look_up"]
    clock.now = house.now_is(payment).next_look_at
    house.works(provider)
    assert moved(provider) == [("transfer", 4742)] * 2 + [("reverse", 822)]
    house.session.rollback()
    assert tasks_of(house.session, house.space) == [("transfer_ref_refused", 4742)]


def test_nothing_of_what_went_back_stays_with_the_other(make_session: Any, session: Any, clock: Clock) -> None:
    clock.now = utc_now()
    with stand_in() as fake:
        account = fake.control("accounts")["id"]
        house = House(make_session, session, clock, account=account)
        customer = fake.api("POST", "/v1/customers", description="test")["id"]
        card = fake.api("POST", "/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
        party, stripe = house.party(), Stripe(KEY, api_url=fake.url)
        payment = house.asks(party, 4840, method=house.method(party, customer=customer, name=card))
        house.works(stripe)
        ref = house.now_is(payment).provider_ref
        assert their_balance(fake, account) == 4742

        fake.api("POST", "/v1/refunds", payment_intent=ref, amount="2420")  # by hand, in the provider's dashboard
        house.looks_now(payment)
        house.works(stripe)
        assert their_balance(fake, account) == 2371

        dispute = fake.control("disputes", charge=ref, amount=2420)["id"]
        fake.control(f"disputes/{dispute}/close", outcome="lost")
        house.looks_now(payment)
        house.works(stripe)
        assert their_balance(fake, account) == 0 and fake.see("books")["differences"] == []


def their_balance(fake: StandIn, account: str) -> int:
    found: int = fake.see("books")["totals"][account]["eur"]["balance"]
    return found
