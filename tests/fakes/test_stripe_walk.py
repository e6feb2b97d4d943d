"""Whatever is done to the stand-in, in whatever order: its books agree with its objects, and nothing is given twice."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fakes.clients import KEY
from tests.fakes.stripe import ControlFailed, Fake
from tests.fakes.stripe.wire import Asked

TOKENS = (
    "pm_card_visa",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_createDispute",
    "pm_card_visa_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_sepaDebit_success",
    "pm_sepaDebit_failed",
    "pm_sepaDebit_disputed",
)
STEPS = ("pay", "refund", "transfer", "reverse", "dispute", "close", "authenticate", "settle", "settle_refund", "clock")


class Walk:
    """A fake without a server, asked for one thing after another."""

    def __init__(self, seed: int) -> None:
        self.fake = Fake(KEY, seed=seed)
        self.member = self.fake.control("POST", "accounts")["id"]

    def post(self, path: str, **params: Any) -> int:
        asked = Asked("POST", path, "", urlencode(params), {"authorization": f"Bearer {KEY}"})
        return self.fake.answer(asked).status

    def control(self, path: str, **arguments: Any) -> None:
        try:
            self.fake.control("POST", path, **arguments)
        except ControlFailed as refusal:
            assert "BooksBroken" not in str(refusal)

    def one(self, kind: str, number: int) -> str:
        """The identifier of one of the objects of a kind, or of none."""
        found = self.fake.store.all("platform", kind)
        return str(found[number % len(found)]["id"]) if found else "none"

    def step(self, what: str, number: int) -> None:
        number, some = divmod(number, 100)  # which object, and how much of it
        amount = 50 + 10 * some
        if what == "pay":
            more = {"mandate_data[customer_acceptance][type]": "offline", "return_url": "https://example.test/"}
            token = TOKENS[number % len(TOKENS)]
            params = {"amount": amount + 500, "currency": "eur", "payment_method": token, "confirm": "true", **more}
            assert self.post("/v1/payment_intents", **params) in (200, 402)
        elif what == "refund":
            assert self.post("/v1/refunds", charge=self.one("charge", number), amount=amount) in (200, 400)
        elif what == "transfer":
            source = {"source_transaction": self.one("charge", number), "currency": "eur"}
            assert self.post("/v1/transfers", amount=amount, destination=self.member, **source) in (200, 400)
        elif what == "reverse":
            assert self.post(f"/v1/transfers/{self.one('transfer', number)}/reversals") in (200, 400, 404)
        else:
            self.by_control(what, number)

    def by_control(self, what: str, number: int) -> None:
        outcome = "succeed" if number % 3 else "fail"
        if what == "dispute":
            self.control("disputes", charge=self.one("charge", number))
        elif what == "close":
            self.control(f"disputes/{self.one('dispute', number)}/close", outcome="won" if number % 3 else "lost")
        elif what in ("authenticate", "settle"):
            self.control(f"payment_intents/{self.one('payment_intent', number)}/{what}", outcome=outcome)
        elif what == "settle_refund":
            self.control(f"refunds/{self.one('refund', number)}/settle", outcome=outcome)
        else:
            self.control("clock", advance=number % 3)
            self.control("payouts")


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),  # a walk is not made shorter: that takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2_000)), min_size=20, max_size=40), st.integers(0, 9))
def test_books_and_objects_agree_after_any_walk(steps: list[tuple[str, int]], seed: int) -> None:
    walk = Walk(seed)
    for what, number in [("pay", 100 * number) for number in range(len(TOKENS))] + steps:
        walk.step(what, number)
    walk.control("clock", advance=1000)
    found = walk.fake.control("GET", "books")
    assert found["differences"] == []
    for line in found["charges"]:
        assert 0 <= line["refunded"] + line["disputed"] <= line["charged"], line
        assert 0 <= line["transferred"] <= line["charged"], line
    for account in found["totals"].values():
        assert all(sum(ledgers.values()) == 0 for ledgers in account.values())
    json.dumps(found)
