"""Payouts to the bank: made by request, or by the provider itself of all that is available."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import amounts, balances
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import refused
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing


def make(call: Call, amount: int, currency: str, *, automatic: bool) -> Thing:
    """A payout that is paid at once; the books know of it first."""
    payout = call.new(
        "payout",
        "po",
        amount=amount,
        arrival_date=call.now,
        automatic=automatic,
        balance_transaction=None,
        currency=currency,
        description="STRIPE PAYOUT" if automatic else None,
        destination=f"ba_{call.fake.store.word(call.account, 24)}",
        failure_code=None,
        failure_message=None,
        metadata=merged({}, call.params.get("metadata")),
        method="standard",
        reconciliation_status="completed" if automatic else "not_applicable",
        source_type="card",
        status="paid",
        type="bank_account",
    )
    call.fake.books.paid_out(payout["id"], call.account, currency, call.now, amount)
    entry = balances.record(call, "payout", payout, -amount, note="STRIPE PAYOUT")
    payout["balance_transaction"] = entry["id"]
    call.facts(entry)["payout"] = payout["id"]
    call.emit("payout.created", payout)
    call.emit("payout.paid", payout)
    return payout


def of_all(call: Call, currency: str = "eur") -> Thing:
    """Pay out all transactions that are available and in no payout yet; raises a Refusal where they sum to nothing."""
    balances.amounts(call)
    entries = [
        entry
        for entry in call.all("balance_transaction")
        if entry["currency"] == currency and entry["status"] == "available" and "payout" not in call.facts(entry)
    ]
    amount = sum(entry["net"] for entry in entries)
    if amount <= 0:
        raise refused("There is nothing to pay out.", code="balance_insufficient")
    payout = make(call, amount, currency, automatic=True)
    for entry in entries:
        call.facts(entry)["payout"] = payout["id"]
    return payout


@route(
    "POST",
    "/v1/payouts",
    "payout",
    amount="int!",
    currency="text!",
    metadata="metadata",
    description="text",
    statement_descriptor="text",
    method="text",
    source_type="text",
    destination="text",
)
def create(call: Call) -> Thing:
    """A payout of an amount that is available."""
    amount, currency = call.params["amount"], call.params["currency"].lower()
    amounts.positive(amount)
    if balances.amounts(call)[currency]["available"] < amount:
        raise refused("You have insufficient funds in your Stripe account.", code="balance_insufficient")
    return make(call, amount, currency, automatic=False)


@route("GET", "/v1/payouts", "payout", **LISTING, status="text", arrival_date="any")
def listing(call: Call) -> dict[str, Any]:
    """The payouts."""
    return page(call, matching(call.all("payout"), call, "status"), "/v1/payouts")


@route("GET", "/v1/payouts/*", "payout")
def retrieve(call: Call) -> Thing:
    """One payout."""
    return call.get("payout", call.ids[0])
