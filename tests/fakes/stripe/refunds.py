"""Refunds: of a charge or of an intent's charge, never above what is left of it."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import amounts
from tests.fakes.stripe.balances import record
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import invalid, refused
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
SLOWLY = ("bancontact", "sepa_debit")  # these refunds are bank transfers: pending first


@route(
    "POST",
    "/v1/refunds",
    "refund",
    charge="text",
    payment_intent="text",
    amount="int",
    reason=REASONS,
    metadata="metadata",
    instructions_email="text",
)
def create(call: Call) -> Thing:
    """Give money back; without an amount all that is left."""
    if ("charge" in call.params) == ("payment_intent" in call.params):
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise invalid(message, param="charge" if "charge" in call.params else None)
    if "amount" in call.params:
        amounts.positive(call.params["amount"])
    charge = _charge(call)
    return make(call, charge, _amount(call, charge))


def _charge(call: Call) -> Thing:
    if "charge" in call.params:
        charge = call.get("charge", call.params["charge"], "charge")
    else:
        intent = call.get("payment_intent", call.params["payment_intent"], "payment_intent")
        if intent["status"] != "succeeded":
            message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            raise refused(message, param="payment_intent")
        charge = call.get("charge", intent["latest_charge"], "payment_intent")
    if not charge["paid"]:
        raise refused(f"Charge {charge['id']} has not succeeded and cannot be refunded.", param="charge")
    return charge


def _amount(call: Call, charge: Thing) -> int:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"] and not call.facts(charge).get("dispute_won"):
        raise refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    amount = call.params.get("amount", left)
    if amount > left:
        asked, rest = amounts.written(amount, charge["currency"]), amounts.written(left, charge["currency"])
        raise refused(f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})", param="amount")
    return amount


def make(call: Call, charge: Thing, amount: int) -> Thing:
    """The refund: into the books first."""
    method = charge["payment_method_details"]["type"]
    way = call.facts(call.get("payment_method", charge["payment_method"]))["behaviour"]["refund"]
    slowly = way == "pending" or method in SLOWLY
    refund = call.new(
        "refund",
        "re" if method == "card" else "pyr",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"type": method, method: {}},
        metadata=merged({}, call.params.get("metadata")),
        payment_intent=charge["payment_intent"],
        reason=call.params.get("reason"),
        receipt_number=None,
        source_transfer_reversal=None,
        status="pending" if slowly else "succeeded",
        transfer_reversal=None,
    )
    if slowly:
        refund["pending_reason"] = "processing"
    call.fake.books.refunded(charge["id"], refund["id"], call.now, amount)
    entry = record(call, "refund" if method == "card" else "payment_refund", refund, -amount, note="REFUND FOR CHARGE")
    refund["balance_transaction"] = entry["id"]
    previous = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    _count(charge, amount)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge, **previous)
    if slowly or way == "fails":
        outcome = "fail" if way == "fails" else "succeed"
        call.later(call.fake.settings.refund_delay, "settle_refund", refund=refund["id"], outcome=outcome)
    return refund


def _count(charge: Thing, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]


def settle(call: Call, refund: str, outcome: str) -> Thing:
    """A refund arrives ("succeed") or the bank sends it back ("fail"); one that failed stays so."""
    found = call.get("refund", refund)
    if outcome == "succeed" and found["status"] == "pending":
        found["status"] = "succeeded"
        found.pop("pending_reason", None)
        call.emit("refund.updated", found, status="pending")
        call.emit("charge.refund.updated", found, status="pending")
    elif outcome == "fail" and found["status"] in ("pending", "succeeded"):
        _fail(call, found)
    return found


def _fail(call: Call, refund: Thing) -> None:
    charge = call.get("charge", refund["charge"])
    previous = refund["status"]
    call.fake.books.refund_failed(charge["id"], refund["id"], call.now, refund["amount"])
    entry = record(call, "refund_failure", refund, refund["amount"], note="REFUND FAILURE")
    refund.update(status="failed", failure_reason="unknown", failure_balance_transaction=entry["id"])
    refund.pop("pending_reason", None)
    _count(charge, -refund["amount"])
    for kind in ("refund.updated", "charge.refund.updated", "refund.failed"):
        call.emit(kind, refund, status=previous)


@route("GET", "/v1/refunds", "refund", **LISTING, charge="text", payment_intent="text")
def listing(call: Call) -> dict[str, Any]:
    """The refunds."""
    return page(call, matching(call.all("refund"), call, "charge", "payment_intent"), "/v1/refunds")


@route("GET", "/v1/charges/*/refunds", "refund", **LISTING)
def of_charge(call: Call) -> dict[str, Any]:
    """The refunds of the charge in the path."""
    made = [refund for refund in call.all("refund") if refund["charge"] == call.ids[0]]
    return page(call, made, f"/v1/charges/{call.ids[0]}/refunds")


@route("GET", "/v1/refunds/*", "refund")
def retrieve(call: Call) -> Thing:
    """One refund."""
    return call.get("refund", call.ids[0])


@route("POST", "/v1/refunds/*", "refund", metadata="metadata")
def update(call: Call) -> Thing:
    """New metadata."""
    refund = call.get("refund", call.ids[0])
    refund["metadata"] = merged(refund["metadata"], call.params.get("metadata"))
    call.emit("refund.updated", refund)
    return refund
