"""Charges: one for each attempt to take money, kept also where it failed."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import fees
from tests.fakes.stripe.balances import record
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

KIND = {"card": "charge"}  # of the balance transaction; other methods: payment


def open_for(call: Call, intent: Thing, method: Thing, status: str = "pending") -> Thing:
    """A charge for an attempt of an intent; `py_` for what is no card."""
    charge = call.new(
        "charge",
        "ch" if method["type"] == "card" else "py",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        balance_transaction=None,
        billing_details=dict(method["billing_details"]),
        captured=False,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        fraud_details={},
        radar_options={},
        metadata=dict(intent["metadata"]),
        outcome=None,
        paid=False,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=_details(call, method),
        receipt_email=intent["receipt_email"],
        refunded=False,
        source_transfer=None,
        statement_descriptor=intent["statement_descriptor"],
        status=status,
        transfer_group=intent["transfer_group"],
    )
    intent["latest_charge"] = charge["id"]
    return charge


def _details(call: Call, method: Thing) -> dict[str, Any]:
    kind = method["type"]
    shown = dict(method[kind])
    if kind == "sepa_debit":
        shown["mandate"] = call.facts(method)["mandate"]
    if kind == "bancontact":
        shown.update(bank_code=None, generated_sepa_debit=None, generated_sepa_debit_mandate=None, iban_last4=None)
    return {"type": kind, kind: shown}


def paid(call: Call, charge: Thing) -> None:
    """The money came: into the books first, then into the charge and, at once or later, the balance."""
    method = charge["payment_method_details"]["type"]
    amount, fee = charge["amount"], fees.for_charge(charge["amount"], method)
    facts = {name: charge[name] for name in ("payment_intent", "customer", "created")}
    call.fake.books.open_charge(
        charge["id"], call.account, charge["currency"], **facts, metadata=dict(charge["metadata"]), method=method
    )
    call.fake.books.charged(charge["id"], call.now, amount, fee)
    outcome = {"network_status": "approved_by_network", "type": "authorized", "seller_message": "Payment complete."}
    charge.update(paid=True, captured=True, amount_captured=amount, status="succeeded", outcome=outcome)
    delay = call.fake.settings.balance_transaction_delay
    if delay:
        call.later(delay, "balance_transaction", charge=charge["id"])
    else:
        _into_balance(call, charge)
    call.emit("charge.succeeded", charge)


def _into_balance(call: Call, charge: Thing) -> None:
    method = charge["payment_method_details"]["type"]
    fee = fees.for_charge(charge["amount"], method)
    entry = record(
        call, KIND.get(method, "payment"), charge, charge["amount"], fee=fee, note=charge["description"] or ""
    )
    charge["balance_transaction"] = entry["id"]


def late_transaction(call: Call, charge: str) -> None:
    """The balance transaction of a charge that was made without one."""
    found = call.get("charge", charge)
    if found["balance_transaction"] is None:
        _into_balance(call, found)
        call.emit("charge.updated", found, balance_transaction=None)


def failed(call: Call, charge: Thing, code: str, message: str) -> None:
    """No money came."""
    outcome = {"network_status": "declined_by_network", "type": "issuer_declined", "reason": code}
    charge.update(status="failed", paid=False, failure_code=code, failure_message=message, outcome=outcome)
    call.emit("charge.failed", charge)


@route("GET", "/v1/charges", "charge", **LISTING, payment_intent="text", customer="text", transfer_group="text")
def listing(call: Call) -> dict[str, Any]:
    """The charges, also those that failed."""
    names = ("payment_intent", "customer", "transfer_group")
    return page(call, matching(call.all("charge"), call, *names), "/v1/charges")


@route("GET", "/v1/charges/*", "charge")
def retrieve(call: Call) -> Thing:
    """One charge."""
    return call.get("charge", call.ids[0])


@route("POST", "/v1/charges/*", "charge", metadata="metadata", description="any", receipt_email="any")
def update(call: Call) -> Thing:
    """New metadata or description."""
    charge = call.get("charge", call.ids[0])
    charge["metadata"] = merged(charge["metadata"], call.params.get("metadata"))
    charge.update({name: call.params[name] or None for name in ("description", "receipt_email") if name in call.params})
    call.emit("charge.updated", charge)
    return charge
