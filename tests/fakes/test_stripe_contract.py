"""Where the stand-in and localstripe, written by others, both answer, they answer alike; and where they do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from tests.fakes.clients import KEY
from tests.fakes.processes import free_port, process
from tests.fakes.stripe import running

pytestmark = pytest.mark.slow
VERSION = "2025-03-31.basil"  # localstripe knows payment_method_types, as versions before 2026-09-30 do
SERVERS = ("ours", "localstripe")
PAYMENT = {"amount": 1000, "currency": "eur", "payment_method_types": ["card"]}


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    port = free_port()
    with process("localstripe", "--from-scratch", port=port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def ours() -> Iterator[str]:
    with running(key=KEY) as fake:
        yield fake.url


@pytest.fixture(params=SERVERS)
def client(request: pytest.FixtureRequest) -> stripe.StripeClient:
    url = request.getfixturevalue(request.param)
    return stripe.StripeClient(KEY, base_addresses={"api": url}, stripe_version=VERSION, max_network_retries=0)


def saved(client: stripe.StripeClient) -> tuple[str, str]:
    """A customer with a card."""
    customer = client.v1.customers.create({"email": "a@example.test"}).id
    return customer, client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id


def charge_of(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> stripe.Charge:
    """Its latest charge, which localstripe puts into the intent where the documentation has an identifier."""
    latest = intent.latest_charge
    return client.v1.charges.retrieve(latest if isinstance(latest, str) else latest.id)


def test_customers(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"email": "a@example.test", "metadata": {"k": "1"}})
    assert (made.object, made.email, made.metadata["k"], made.livemode) == ("customer", "a@example.test", "1", False)
    assert client.v1.customers.update(made.id, {"name": "A"}).name == "A"
    assert client.v1.customers.retrieve(made.id).email == "a@example.test"
    assert made.id in [one.id for one in client.v1.customers.list({"limit": 100})]
    assert client.v1.customers.delete(made.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.customers.retrieve("cus_none")
    assert refusal.value.http_status == 404


def test_payment_methods(client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    found = client.v1.payment_methods.retrieve(method)
    assert (found.type, found.card.brand, found.card.last4, found.customer) == ("card", "visa", "4242", customer)
    assert [one.id for one in client.v1.payment_methods.list({"customer": customer, "type": "card"})] == [method]
    assert client.v1.payment_methods.detach(method).customer is None
    assert client.v1.payment_methods.list({"customer": customer, "type": "card"}).data == []


def test_setup_intents(client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    intent = client.v1.setup_intents.create({"customer": customer, "payment_method_types": ["card"]})
    assert (intent.status, intent.usage, intent.payment_method) == ("requires_payment_method", "off_session", None)
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    done = client.v1.setup_intents.confirm(intent.id, {"payment_method": method})
    assert (done.status, done.payment_method, done.next_action) == ("succeeded", method, None)
    other = client.v1.setup_intents.create({"payment_method_types": ["card"]})
    assert client.v1.setup_intents.cancel(other.id).status == "canceled"


def test_payment_intents(client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    asked = {**PAYMENT, "customer": customer, "payment_method": method, "metadata": {"k": "1"}}
    intent = client.v1.payment_intents.create(asked)
    assert (intent.status, intent.latest_charge, intent.metadata["k"]) == ("requires_confirmation", None, "1")
    done = client.v1.payment_intents.confirm(intent.id)
    assert (done.status, done.amount, done.next_action) == ("succeeded", 1000, None)
    charge = charge_of(client, done)
    assert (charge.amount, charge.paid, charge.status, charge.captured) == (1000, True, "succeeded", True)
    assert (charge.payment_intent, charge.amount_refunded, charge.refunded) == (intent.id, 0, False)
    assert charge.balance_transaction.startswith("txn_")
    at_once = client.v1.payment_intents.create({**asked, "confirm": True, "off_session": True})
    assert at_once.status == "succeeded"
    open_one = client.v1.payment_intents.create(PAYMENT)
    assert open_one.status == "requires_payment_method"
    assert client.v1.payment_intents.cancel(open_one.id).status == "canceled"


def test_what_cannot_be_is_refused(client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    done = client.v1.payment_intents.create(
        {**PAYMENT, "customer": customer, "payment_method": method, "confirm": True}
    )
    for refused in (
        lambda: client.v1.payment_intents.confirm(done.id),
        lambda: client.v1.payment_intents.cancel(done.id),
        lambda: client.v1.payment_intents.create({**PAYMENT, "amount": "ten"}),
        lambda: client.v1.payment_intents.create({"currency": "eur"}),
        lambda: client.v1.payment_intents.create({**PAYMENT, "colour": "red"}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            refused()
        assert refusal.value.http_status == 400


def test_refunds(client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    asked = {**PAYMENT, "customer": customer, "payment_method": method, "confirm": True}
    intent = client.v1.payment_intents.create(asked)
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 400})
    charge = charge_of(client, intent)
    assert (first.object, first.status, first.amount, first.charge) == ("refund", "succeeded", 400, charge.id)
    assert (charge.amount_refunded, charge.refunded) == (400, False)
    client.v1.refunds.create({"charge": charge.id, "amount": 600})
    charge = charge_of(client, intent)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    assert len(client.v1.refunds.list({"charge": charge.id}).data) == 2


def test_only_ours_refuses_what_the_documentation_refuses(ours: str, localstripe: str) -> None:
    """localstripe gives back more than was taken."""
    outcomes = {}
    for name, url in (("ours", ours), ("localstripe", localstripe)):
        client = stripe.StripeClient(KEY, base_addresses={"api": url}, stripe_version=VERSION, max_network_retries=0)
        customer, method = saved(client)
        asked = {**PAYMENT, "customer": customer, "payment_method": method, "confirm": True}
        intent = client.v1.payment_intents.create(asked)
        try:
            client.v1.refunds.create({"payment_intent": intent.id, "amount": 4000})
            outcomes[name] = "refunded"
        except stripe.InvalidRequestError as refusal:
            outcomes[name] = str(refusal.param)
    assert outcomes == {"ours": "amount", "localstripe": "refunded"}
