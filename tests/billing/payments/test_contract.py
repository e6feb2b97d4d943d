"""The provider's adapter against what stands for the provider: the same tests, whoever answers.

The stand-in is written from Stripe's documentation by somebody who has not read the product, and shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.billing.payments.port import Charging, Means, Outcome
from app.billing.stripe_provider import Stripe
from app.ids import new_id
from tests.billing.payments.stand_in import KEY, SECRET, StandIn, stand_in


@pytest.fixture(scope="module")
def fake() -> Iterator[StandIn]:
    with stand_in() as fake:
        yield fake


@pytest.fixture(scope="module")
def stripe(fake: StandIn) -> Stripe:
    return Stripe(KEY, api_url=fake.url, webhook_secrets=[SECRET])


def saved_card(fake: StandIn, card: str = "pm_card_visa") -> dict[str, str]:
    customer = fake.api("POST", "/v1/customers", description="x")["id"]
    method = fake.api("POST", f"/v1/payment_methods/{card}/attach", customer=customer)["id"]
    return {"customer": customer, "method": method}


def a_charging(**values: object) -> Charging:
    base = {"uid": new_id(), "operator_uid": new_id(), "cents": 4840, "currency": "EUR", "kind": "card"}
    return Charging(**{**base, "mode": "automatic", **values})  # type: ignore[arg-type]


def test_thread(fake: StandIn, stripe: Stripe) -> None:
    heard = stripe.start(a_charging(**saved_card(fake)))
    print(heard)
    assert (heard.outcome, heard.means) == (Outcome.ANSWERED, Means.DONE)
    assert heard.found.evidence == "settled"
