"""Transfers to connected accounts, from a charge or from the balance, and their reversals."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import amounts, balances
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import invalid, refused
from tests.fakes.stripe.pages import matching, page, whole
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

SHORT = "You have insufficient available funds in your Stripe account."


@route(
    "POST",
    "/v1/transfers",
    "transfer",
    amount="int!",
    currency="text!",
    destination="text!",
    source_transaction="text",
    transfer_group="text",
    description="text",
    metadata="metadata",
    source_type="text",
)
def create(call: Call) -> Thing:
    """Move money to a connected account; with source_transaction at most what the charge took."""
    amounts.positive(call.params["amount"])
    account = call.get("account", call.params["destination"], "destination")
    source = call.maybe("charge", "source_transaction")
    _covered(call, source)
    transfer = call.new(
        "transfer",
        "tr",
        amount=call.params["amount"],
        amount_reversed=0,
        balance_transaction=None,
        currency=call.params["currency"].lower(),
        description=call.params.get("description"),
        destination=account["id"],
        destination_payment=None,
        metadata=merged({}, call.params.get("metadata")),
        reversed=False,
        source_transaction=source["id"] if source else None,
        source_type="card",
        transfer_group=call.params.get("transfer_group") or (f"group_{source['payment_intent']}" if source else None),
    )
    transfer["reversals"] = whole([], _url(transfer))
    _book(call, transfer, transfer["amount"])
    entry = balances.record(call, "transfer", transfer, -transfer["amount"], note=transfer["description"] or "")
    transfer["balance_transaction"] = entry["id"]
    _arrives(call, transfer)
    call.emit("transfer.created", transfer)
    return transfer


def _covered(call: Call, source: Thing | None) -> None:
    amount, currency = call.params["amount"], call.params["currency"].lower()
    if source is None:
        if balances.amounts(call)[currency]["available"] < amount:
            raise refused(SHORT, code="balance_insufficient")
        return
    if source["currency"] != currency:
        message = f"The currency of source_transaction's balance transaction ({source['currency']}) must be the same"
        raise invalid(f"{message} as the transfer currency ({currency})", param="currency")
    if source["status"] == "failed":
        raise refused(f"The charge {source['id']} has failed and cannot be transferred.", param="source_transaction")
    moved = sum(one["amount"] for one in call.all("transfer") if one["source_transaction"] == source["id"])
    if moved + amount > source["amount"]:
        left = amounts.written(source["amount"] - moved, currency)
        message = f"Transfers using this transaction as a source must not exceed the source amount of {left}"
        raise refused(message, param="amount")


def _book(call: Call, transfer: Thing, amount: int) -> None:
    call.fake.books.transferred(
        transfer["id"],
        call.account,
        transfer["destination"],
        transfer["currency"],
        call.now,
        amount,
        charge=transfer["source_transaction"],
    )


def _arrives(call: Call, transfer: Thing) -> None:
    """The payment that the connected account sees."""
    there = call.on(transfer["destination"])
    payment = there.new(
        "charge",
        "py",
        amount=transfer["amount"],
        amount_captured=transfer["amount"],
        amount_refunded=0,
        balance_transaction=None,
        captured=True,
        currency=transfer["currency"],
        customer=None,
        description=transfer["description"],
        disputed=False,
        metadata={},
        paid=True,
        payment_intent=None,
        payment_method=None,
        payment_method_details={"type": "stripe_account", "stripe_account": {}},
        refunded=False,
        source_transfer=transfer["id"],
        status="succeeded",
        transfer_group=transfer["transfer_group"],
    )
    payment["balance_transaction"] = balances.record(there, "payment", payment, payment["amount"])["id"]
    transfer["destination_payment"] = payment["id"]
    there.emit("payment.created", payment)


@route(
    "POST",
    "/v1/transfers/*/reversals",
    "transfer_reversal",
    amount="int",
    description="text",
    metadata="metadata",
    refund_application_fee="bool",
)
def reverse(call: Call) -> Thing:
    """Take back a part, or all that is left."""
    transfer = call.get("transfer", call.ids[0])
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = call.params.get("amount", left)
    if left == 0:
        raise refused(f"Transfer {transfer['id']} is already fully reversed.")
    amounts.positive(amount)
    if amount > left:
        asked, rest = (amounts.written(value, transfer["currency"]) for value in (amount, left))
        raise refused(f"Transfer reversal amount ({asked}) is greater than unreversed amount ({rest})", param="amount")
    there = call.on(transfer["destination"])
    reversal = call.new(
        "transfer_reversal",
        "trr",
        amount=amount,
        balance_transaction=None,
        currency=transfer["currency"],
        destination_payment_refund=None,
        metadata=merged({}, call.params.get("metadata")),
        source_refund=None,
        transfer=transfer["id"],
    )
    _book(call, transfer, -amount)
    reversal["balance_transaction"] = balances.record(call, "transfer_refund", reversal, amount)["id"]
    payment = there.get("charge", transfer["destination_payment"])
    balances.record(there, "payment_refund", payment, -amount, note="REFUND FOR PAYMENT")
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    made = [one for one in call.all("transfer_reversal") if one["transfer"] == transfer["id"]]
    transfer["reversals"] = whole([dict(one) for one in made], _url(transfer))
    call.emit("transfer.reversed", transfer)
    return reversal


def _url(transfer: Thing) -> str:
    return f"/v1/transfers/{transfer['id']}/reversals"


@route("GET", "/v1/transfers/*/reversals", "transfer_reversal", **LISTING)
def reversals(call: Call) -> dict[str, Any]:
    """The reversals of the transfer in the path."""
    transfer = call.get("transfer", call.ids[0])
    return page(
        call, [one for one in call.all("transfer_reversal") if one["transfer"] == transfer["id"]], _url(transfer)
    )


@route("GET", "/v1/transfers", "transfer", **LISTING, destination="text", transfer_group="text")
def listing(call: Call) -> dict[str, Any]:
    """The transfers."""
    return page(call, matching(call.all("transfer"), call, "destination", "transfer_group"), "/v1/transfers")


@route("GET", "/v1/transfers/*", "transfer")
def retrieve(call: Call) -> Thing:
    """One transfer."""
    return call.get("transfer", call.ids[0])


@route("POST", "/v1/transfers/*", "transfer", metadata="metadata", description="any")
def update(call: Call) -> Thing:
    """New metadata."""
    transfer = call.get("transfer", call.ids[0])
    transfer["metadata"] = merged(transfer["metadata"], call.params.get("metadata"))
    call.emit("transfer.updated", transfer)
    return transfer
