"""The real library as a client of the stand-in, an endpoint for its webhooks."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import stripe

from tests.fakes.stripe import Fake

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

    def events(self) -> list[dict[str, Any]]:
        """What came, in order."""
        return [json.loads(body) for body, _ in self.got]

    def types(self) -> list[str]:
        """The types of what came."""
        return [event["type"] for event in self.events()]

    def stop(self) -> None:
        """Serve no more."""
        self.server.shutdown()
        self.server.server_close()


def client_of(fake: Fake, *, key: str = KEY, retries: int = 0, **more: Any) -> stripe.StripeClient:
    """The real library, with the fake as its server."""
    return stripe.StripeClient(key, base_addresses={"api": fake.url}, max_network_retries=retries, **more)


def customer_with(client: stripe.StripeClient, token: str = "pm_card_visa") -> tuple[str, str]:
    """A customer that kept the payment method of a token."""
    customer = client.v1.customers.create({"email": "payer@example.test"})
    return customer.id, client.v1.payment_methods.attach(token, {"customer": customer.id}).id


def kind_of(token: str) -> str:
    """The kind of payment method that a token stands for."""
    return "sepa_debit" if "sepaDebit" in token else "bancontact" if "bancontact" in token else "card"


def payment(token: str = "pm_card_visa", amount: int = 5000, **more: Any) -> dict[str, Any]:
    """Parameters of a payment in euros, confirmed at once."""
    given = {"amount": amount, "currency": "eur", "payment_method": token, "confirm": True}
    accepted: dict[str, Any] = {"mandate_data": {"customer_acceptance": {"type": "offline"}}}
    kind = kind_of(token)
    return {**given, **(accepted if kind == "sepa_debit" else {}), "allowed_payment_method_types": [kind], **more}


def pay(client: stripe.StripeClient, token: str = "pm_card_visa", amount: int = 5000, **more: Any) -> Any:
    """Such a payment, tried."""
    return client.v1.payment_intents.create(payment(token, amount, **more))
