"""Webhooks of the stand-in: signed, retried, and by script twice, late, in another order or never."""

from __future__ import annotations

import pytest
import stripe

from tests.fakes.clients import SECRET, Hook, client_of, pay
from tests.fakes.stripe import Fake
from tests.fakes.stripe.settings import API_VERSION
from tests.waiting import until

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def all_sent(fake: Fake) -> None:
    """Wait until nothing is left to be sent."""
    until(fake.webhooks.idle, within=5)


def test_events_come_in_order_signed_with_the_object_as_it_was(
    fake: Fake, hook: Hook, client: stripe.StripeClient
) -> None:
    intent = pay(client, metadata={"charge": "7"})
    all_sent(fake)
    assert hook.types() == PAID
    body, signature = hook.got[2]
    event = stripe.Webhook.construct_event(body, signature, SECRET)
    assert (event.data.object.id, event.data.object.status) == (intent.id, "succeeded")
    assert (event.api_version, event.request.id) == (API_VERSION, intent.last_response.headers["Request-Id"])
    assert hook.events()[0]["data"]["object"]["status"] == "requires_payment_method"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other")
    until(lambda: client.v1.events.retrieve(event.id).pending_webhooks == 0)


def test_events_are_listed_by_type(client: stripe.StripeClient) -> None:
    pay(client)
    assert [event.type for event in client.v1.events.list()] == PAID[::-1]
    assert [event.type for event in client.v1.events.list({"type": "charge.*"})] == ["charge.succeeded"]
    assert len(client.v1.events.list({"types": PAID[:2]}).data) == 2


def test_an_event_is_sent_again_until_the_answer_is_good(fake: Fake, hook: Hook, client: stripe.StripeClient) -> None:
    hook.answers = [500, 302, 404]
    client.v1.customers.create()
    all_sent(fake)
    assert len(hook.got) == 4 and len({event["id"] for event in hook.events()}) == 1
    log = fake.control("GET", "webhooks")["deliveries"]
    assert [(one["attempt"], one["status"]) for one in log] == [(1, 500), (2, 302), (3, 404), (4, 200)]


def test_an_endpoint_that_is_not_there_is_given_up_at_last(fake: Fake, hook: Hook, client: stripe.StripeClient) -> None:
    fake.control("POST", "settings", webhook_attempts=3, webhook_backoff=0.01)
    hook.answers = [500] * 3
    client.v1.customers.create()
    all_sent(fake)
    assert len(hook.got) == 3
    assert client.v1.events.list().data[0].pending_webhooks == 1
    fake.control("POST", f"events/{client.v1.events.list().data[0].id}/resend")
    all_sent(fake)
    assert len(hook.got) == 4


@pytest.mark.parametrize(
    "rule, come",
    [
        ({"kind": "duplicate", "copies": 2}, [0, 1, 1, 1, 2]),
        ({"kind": "lose"}, [0, 2]),
        ({"kind": "reorder", "seconds": 0.2}, [0, 2, 1]),
        ({"kind": "delay", "seconds": 0.2}, [0, 2, 1]),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_the_script_decides_how_events_come(
    fake: Fake, hook: Hook, client: stripe.StripeClient, rule: dict[str, object], come: list[int]
) -> None:
    fake.control("POST", "webhooks/rules", type="charge.*", **rule)
    pay(client)
    all_sent(fake)
    assert hook.types() == [PAID[number] for number in come]


def test_an_event_held_back_for_another_comes_alone_in_the_end(
    fake: Fake, hook: Hook, client: stripe.StripeClient
) -> None:
    fake.control("POST", "webhooks/rules", type="customer.*", kind="reorder", seconds=0.1)
    client.v1.customers.create()
    all_sent(fake)
    assert hook.types() == ["customer.created"]


def test_everything_else_that_happens_is_told_too(fake: Fake, hook: Hook, client: stripe.StripeClient) -> None:
    intent = pay(client, "pm_card_pendingRefund")
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    fake.control("POST", "clock", advance=601)
    dispute = fake.control("POST", "disputes", charge=intent.id)["id"]
    fake.control("POST", f"disputes/{dispute}/close", outcome="won")
    pay(client, "pm_sepaDebit_failed")
    fake.control("POST", "clock", advance=601)
    fake.control("POST", "payouts")
    all_sent(fake)
    assert hook.types()[3:] == [
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "charge.refund.updated",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
        "payment_intent.created",
        "payment_intent.processing",
        "charge.pending",
        "charge.failed",
        "payment_intent.payment_failed",
        "payout.created",
        "payout.paid",
    ]


def test_an_event_of_a_connected_account_names_it(fake: Fake, hook: Hook, client: stripe.StripeClient) -> None:
    account = fake.control("POST", "accounts")["id"]
    charge = pay(client).latest_charge
    given = {"amount": 100, "currency": "eur", "destination": account, "source_transaction": charge}
    client.v1.transfers.create(given)
    pay(client_of(fake, stripe_account=account))
    all_sent(fake)
    named = [(event["type"], event.get("account")) for event in hook.events()]
    assert named[3:] == [("payment.created", account), ("transfer.created", None), *((kind, account) for kind in PAID)]


@pytest.mark.parametrize("ends, last", [("success", "async_payment_succeeded"), ("failed", "async_payment_failed")])
def test_a_checkout_that_ends_in_a_debit_tells_of_its_end_later(
    fake: Fake, client: stripe.StripeClient, ends: str, last: str
) -> None:
    item = {"price_data": {"currency": "eur", "unit_amount": 900, "product_data": {"name": "Day"}}}
    asked = {"mode": "payment", "success_url": "https://example.test/", "line_items": [item]}
    session = client.v1.checkout.sessions.create(asked)
    fake.control("POST", f"checkout/sessions/{session.id}/complete", payment_method=f"pm_sepaDebit_{ends}")
    fake.control("POST", "clock", advance=601)
    told = client.v1.events.list({"type": "checkout.session.*"}).data[::-1]
    paid = "paid" if last.endswith("succeeded") else "unpaid"
    assert [(event.type, event.data.object.payment_status) for event in told] == [
        ("checkout.session.completed", "unpaid"),
        (f"checkout.session.{last}", paid),
    ]
