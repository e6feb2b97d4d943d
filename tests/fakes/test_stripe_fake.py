"""The stand-in of the payment provider does what the provider's documentation says, seen through the real library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from tests.fakes.stripe import Fake, fees, running

KEY, SECRET = "sk_test_stand_in", "whsec_stand_in"


class Hook:
    """An endpoint that keeps what it gets, and answers with the statuses it is told, then with 200."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.answers: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((body, self.headers["Stripe-Signature"]))
                self.send_response(hook.answers.pop(0) if hook.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.got]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.stop()


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A fake whose books are looked at in the end, whatever the test did."""
    with running(key=KEY) as made:
        yield made
        assert made.control("GET", "books")["differences"] == []


@pytest.fixture
def client(fake: Fake) -> stripe.StripeClient:
    return client_of(fake)


def client_of(fake: Fake, *, key: str = KEY, retries: int = 0, **more: Any) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": fake.url}, max_network_retries=retries, **more)


def customer_with(client: stripe.StripeClient, token: str = "pm_card_visa") -> tuple[str, str]:
    """A customer that kept the payment method of a token."""
    customer = client.v1.customers.create({"email": "payer@example.test"})
    return customer.id, client.v1.payment_methods.attach(token, {"customer": customer.id}).id


def pay(client: stripe.StripeClient, token: str = "pm_card_visa", amount: int = 5000, **more: Any) -> Any:
    given = {"amount": amount, "currency": "eur", "payment_method": token, "confirm": True}
    return client.v1.payment_intents.create({**given, "allowed_payment_method_types": [kind_of(token)], **more})


def kind_of(token: str) -> str:
    return "sepa_debit" if "sepaDebit" in token else "bancontact" if "bancontact" in token else "card"


def test_a_card_payment_has_a_charge_with_fee_and_net(client: stripe.StripeClient, fake: Fake) -> None:
    intent = pay(client, metadata={"charge": "7"}, expand=["latest_charge.balance_transaction", "customer"])
    assert intent.status == "succeeded" and intent.amount_received == 5000
    entry = intent.latest_charge.balance_transaction
    assert (entry.amount, entry.fee, entry.net) == (5000, 100, 4900)
    (line,) = fake.control("GET", "books")["charges"]
    assert (line["payment_intent"], line["metadata"], line["charged"]) == (intent.id, {"charge": "7"}, 5000)
    assert intent.last_response.headers["Request-Id"].startswith("req_")


def test_fees_are_rounded_half_up() -> None:
    assert [fees.for_charge(amount, "card") for amount in (100, 33, 34, 10_000)] == [27, 25, 26, 175]
