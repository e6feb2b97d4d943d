"""Payment intents: created, confirmed, changed, cancelled, listed and searched."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import amounts, attempts, kinds, search
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import Refusal, invalid, refused
from tests.fakes.stripe.methods import DATA
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

TEXTS = ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group")
PLAIN = {
    "payment_method": "text",
    "payment_method_data": {**DATA, "type": "text!"},
    "payment_method_options": "hash",
    "setup_future_usage": ("off_session", "on_session", ""),
    "shipping": "hash",
}
CONFIRM = {
    "capture_method": ("automatic", "automatic_async"),
    "error_on_requires_action": "bool",
    "mandate": "text",
    "mandate_data": "hash",
    "off_session": "any",
    "return_url": "text",
    "use_stripe_sdk": "bool",
}
CREATE = {
    "amount": "int!",
    "currency": "text!",
    **kinds.SPEC,
    "customer": "text",
    "metadata": "metadata",
    **dict.fromkeys(TEXTS, "any"),
    "confirm": "bool",
    "confirmation_method": ("automatic", "manual"),
    "radar_options": "hash",
    "amount_details": "hash",
}
UPDATE = {
    "amount": "int",
    "currency": "text",
    "customer": "text",
    "metadata": "metadata",
    **dict.fromkeys(TEXTS, "any"),
    **{name: kinds.SPEC[name] for name in (kinds.ALLOWED, kinds.EXCLUDED, kinds.EXACT)},
}
CHANGEABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


@route("POST", "/v1/payment_intents", "payment_intent", **PLAIN, **CONFIRM, **CREATE)
def create(call: Call) -> Thing:
    """An intent, confirmed at once where asked; one that is refused for its parameters is not made."""
    amounts.check(call.params["amount"], call.params["currency"].lower())
    for name in ("off_session", "mandate", "mandate_data", "return_url", "error_on_requires_action"):
        if name in call.params and not call.params.get("confirm"):
            raise invalid(f"{name} can only be used together with confirm=true.", param=name)
    customer = call.maybe("customer", "customer")
    intent = build(call, call.params, customer["id"] if customer else None)
    try:
        if not call.params.get("confirm"):
            _hold(call, intent)
        plan = attempts.check(call, intent) if call.params.get("confirm") else None
    except Refusal:
        del call.fake.store.things[call.account]["payment_intent"][intent["id"]]
        raise
    call.emit("payment_intent.created", intent)
    if plan:
        attempts.run(call, intent, plan)
    search.touch(call, intent)
    return intent


def build(call: Call, given: dict[str, Any], customer: str | None) -> Thing:
    """A new intent that has no payment method yet."""
    intent = call.new(
        "payment_intent",
        "pi",
        amount=given["amount"],
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        canceled_at=None,
        cancellation_reason=None,
        capture_method=given.get("capture_method", "automatic_async"),
        confirmation_method=given.get("confirmation_method", "automatic"),
        currency=given["currency"].lower(),
        customer=customer,
        last_payment_error=None,
        latest_charge=None,
        metadata=merged({}, given.get("metadata")),
        next_action=None,
        payment_method=None,
        payment_method_options=given.get("payment_method_options", {}),
        **kinds.chosen(call, given, given["currency"].lower()),
        setup_future_usage=given.get("setup_future_usage") or None,
        shipping=given.get("shipping"),
        status="requires_payment_method",
        **{name: given.get(name) or None for name in TEXTS},
    )
    intent["client_secret"] = f"{intent['id']}_secret_{call.fake.store.word(intent['id'], 25)}"
    return intent


def _hold(call: Call, intent: Thing) -> None:
    """Put the given payment method on the intent, without taking money."""
    if "payment_method" in call.params or "payment_method_data" in call.params:
        intent["payment_method"] = attempts._method(call, intent)["id"]
        intent["status"] = "requires_confirmation"


ON_CONFIRM = {"client_secret": "text", "receipt_email": "any"}
NARROWED = {name: kinds.SPEC[name] for name in (kinds.ALLOWED, kinds.EXCLUDED, kinds.EXACT)}


@route("POST", "/v1/payment_intents/*/confirm", "payment_intent", **PLAIN, **CONFIRM, **NARROWED, **ON_CONFIRM)
def confirm(call: Call) -> Thing:
    """Try to take the money; a declined card answers 402 with the intent inside."""
    intent = call.get("payment_intent", call.ids[0])
    if NARROWED.keys() & call.params.keys():
        intent.update(kinds.chosen(call, call.params, intent["currency"]))
    attempts.run(call, intent, attempts.check(call, intent))
    return intent


@route("POST", "/v1/payment_intents/*/cancel", "payment_intent", cancellation_reason=REASONS)
def cancel(call: Call) -> Thing:
    """End an intent that has taken no money."""
    intent = call.get("payment_intent", call.ids[0])
    if intent["status"] not in CHANGEABLE:
        raise refused(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {', '.join(CHANGEABLE)}.",
            code=attempts.UNEXPECTED,
            payment_intent=intent,
        )
    reason = call.params.get("cancellation_reason")
    intent.update(status="canceled", canceled_at=call.now, cancellation_reason=reason, next_action=None)
    call.emit("payment_intent.canceled", intent)
    search.touch(call, intent)
    return intent


@route("GET", "/v1/payment_intents/search", "payment_intent", query="text!", limit="int", page="text")
def found(call: Call) -> dict[str, Any]:
    """The intents that a query finds, some time after they were made."""
    return search.answer(call)


@route("GET", "/v1/payment_intents", "payment_intent", **LISTING, customer="text")
def listing(call: Call) -> dict[str, Any]:
    """The intents, at once."""
    return page(call, matching(call.all("payment_intent"), call, "customer"), "/v1/payment_intents")


@route("GET", "/v1/payment_intents/*", "payment_intent", client_secret="text")
def retrieve(call: Call) -> Thing:
    """One intent."""
    return call.get("payment_intent", call.ids[0])


@route("POST", "/v1/payment_intents/*", "payment_intent", **PLAIN, **UPDATE)
def update(call: Call) -> Thing:
    """New values; amount, customer and method only before money moved."""
    intent = call.get("payment_intent", call.ids[0])
    money = {"amount", "currency", "customer", "payment_method", "payment_method_data"} & set(call.params)
    if money and intent["status"] not in CHANGEABLE:
        raise refused(
            f"This PaymentIntent's {sorted(money)[0]} could not be updated because it has a status of "
            f"{intent['status']}.",
            code=attempts.UNEXPECTED,
            payment_intent=intent,
        )
    wanted = {"amount": intent["amount"], "currency": intent["currency"], **call.params}
    amounts.check(wanted["amount"], wanted["currency"].lower())
    if "customer" in call.params:
        intent["customer"] = call.get("customer", call.params["customer"], "customer")["id"]
    _hold(call, intent)
    intent["currency"] = wanted["currency"].lower()
    for name in ("amount", *TEXTS, "setup_future_usage", "shipping"):
        if name in call.params:
            intent[name] = call.params[name] or None
    if NARROWED.keys() & call.params.keys():
        intent.update(kinds.chosen(call, call.params, intent["currency"]))
    intent["metadata"] = merged(intent["metadata"], call.params.get("metadata"))
    search.touch(call, intent)
    return intent
