"""The balance and its transactions: what each event did to the money an account has with the provider."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

CATEGORIES = {
    "payment": "charge",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "adjustment": "dispute",
    "transfer_refund": "transfer_reversal",
}


def record(
    call: Call, kind: str, source: Thing, amount: int, *, fee: int = 0, note: str = "", about: str | None = None
) -> Thing:
    """A balance transaction of `amount` cents less `fee`; `about` describes the fee."""
    available = call.now + int(call.fake.settings.available_after)
    detail = {"amount": fee, "application": None, "currency": source["currency"], "description": about or "Stripe fees"}
    return call.new(
        "balance_transaction",
        "txn",
        amount=amount,
        available_on=available,
        balance_type="payments",
        currency=source["currency"],
        description=note or None,
        exchange_rate=None,
        fee=fee,
        fee_details=[{**detail, "type": "stripe_fee"}] if fee else [],
        net=amount - fee,
        reporting_category=CATEGORIES.get(kind, kind),
        source=source["id"],
        status="available" if available <= call.now else "pending",
        type=kind,
    )


def amounts(call: Call) -> dict[str, dict[str, int]]:
    """Currency -> "available" and "pending" -> cents."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: {"available": 0, "pending": 0})
    for entry in call.all("balance_transaction"):
        if entry["available_on"] <= call.now:
            entry["status"] = "available"
        sums[entry["currency"]][entry["status"]] += entry["net"]
    return sums


@route("GET", "/v1/balance", "balance")
def balance(call: Call) -> dict[str, Any]:
    """What is available and what is pending."""
    sums = amounts(call) or {"eur": {"available": 0, "pending": 0}}
    shown = {
        state: [
            {"amount": both[state], "currency": currency, "source_types": {"card": both[state]}}
            for currency, both in sums.items()
        ]
        for state in ("available", "pending")
    }
    return {"object": "balance", "livemode": False, **shown}


@route(
    "GET",
    "/v1/balance_transactions",
    "balance_transaction",
    **LISTING,
    type="text",
    source="text",
    currency="text",
    payout="text",
)
def listing(call: Call) -> dict[str, Any]:
    """The transactions; those of a payout, for one that was made by itself."""
    found = matching(call.all("balance_transaction"), call, "type", "source", "currency")
    if "payout" in call.params:
        found = [entry for entry in found if call.facts(entry).get("payout") == call.params["payout"]]
    return page(call, found, "/v1/balance_transactions")


@route("GET", "/v1/balance_transactions/*", "balance_transaction")
def retrieve(call: Call) -> Thing:
    """One transaction."""
    return call.get("balance_transaction", call.ids[0])
