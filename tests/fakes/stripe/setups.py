"""Setup intents: a payment method saved for later, with a mandate where one is needed."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import kinds, mandates, methods
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import DECLINES, Refusal, declined, refused
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

UNEXPECTED = "setup_intent_unexpected_state"
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
PLAIN = {
    "payment_method": "text",
    "payment_method_data": {**methods.DATA, "type": "text!"},
    "payment_method_options": "hash",
}
CONFIRM = {"mandate_data": "hash", "return_url": "text", "use_stripe_sdk": "bool"}
CREATE = {
    **kinds.SPEC,
    "customer": "text",
    "description": "any",
    "metadata": "metadata",
    "confirm": "bool",
    "usage": ("off_session", "on_session"),
    "single_use": "hash",
}


@route("POST", "/v1/setup_intents", "setup_intent", **PLAIN, **CONFIRM, **CREATE)
def create(call: Call) -> Thing:
    """A setup intent, confirmed at once where asked."""
    customer = call.maybe("customer", "customer")
    intent = build(call, call.params, customer["id"] if customer else None)
    try:
        method = _method(call, intent) if call.params.get("confirm") else None
        if method is None and ("payment_method" in call.params or "payment_method_data" in call.params):
            intent.update(payment_method=_method(call, intent)["id"], status="requires_confirmation")
        if method:
            _check(call, intent, method)
    except Refusal:
        del call.fake.store.things[call.account]["setup_intent"][intent["id"]]
        raise
    call.emit("setup_intent.created", intent)
    if method:
        _run(call, intent, method)
    return intent


def build(call: Call, given: dict[str, Any], customer: str | None) -> Thing:
    """A new setup intent without a payment method."""
    intent = call.new(
        "setup_intent",
        "seti",
        cancellation_reason=None,
        customer=customer,
        description=given.get("description"),
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        metadata=merged({}, given.get("metadata")),
        next_action=None,
        payment_method=None,
        payment_method_options={},
        **kinds.chosen(call, given, None),
        single_use_mandate=None,
        status="requires_payment_method",
        usage=given.get("usage", "off_session"),
    )
    intent["client_secret"] = f"{intent['id']}_secret_{call.fake.store.word(intent['id'], 25)}"
    return intent


def _method(call: Call, intent: Thing) -> Thing:
    if "payment_method" in call.params:
        return methods.given(call, call.params["payment_method"])
    if "payment_method_data" in call.params:
        return methods.from_data(call, call.params["payment_method_data"], "payment_method_data")
    if intent["payment_method"] is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise refused(message, code=UNEXPECTED, setup_intent=intent)
    return call.get("payment_method", intent["payment_method"], "payment_method")


def _check(call: Call, intent: Thing, method: Thing) -> None:
    if intent["status"] not in OPEN:
        message = f"You cannot confirm this SetupIntent because it has a status of {intent['status']}."
        raise refused(message, code=UNEXPECTED, setup_intent=intent)
    if method["type"] not in intent["payment_method_types"]:
        message = f"The PaymentMethod provided ({method['type']}) is not allowed for this SetupIntent."
        raise refused(message, param="payment_method", code="payment_intent_incompatible_payment_method")
    if method["customer"] not in (None, intent["customer"]):
        raise refused("The payment method supplied belongs to another Customer.", param="payment_method")
    if method["type"] == "sepa_debit" and "mandate_data" not in call.params and not call.facts(method)["mandate"]:
        raise refused("Missing required param: mandate_data.", param="mandate_data", code="parameter_missing")
    if method["type"] == "bancontact" and "return_url" not in call.params:
        raise refused("Missing required param: return_url.", param="return_url", code="parameter_missing")


def _run(call: Call, intent: Thing, method: Thing) -> None:
    known = call.facts(method)
    intent.update(payment_method=method["id"], last_setup_error=None, next_action=None, status="requires_confirmation")
    code = call.forced.get("decline") or known["behaviour"]["decline_setup"]
    if code and method["type"] == "card":
        raise decline(call, intent, method, code)
    if method["type"] == "bancontact" or (known["behaviour"]["authenticate"] and not known["set_up"]):
        _send_payer(call, intent)
    else:
        _succeed(call, intent, method)


def _send_payer(call: Call, intent: Thing) -> None:
    url = f"{call.fake.settings.payer_page}/setup/{intent['id']}"
    back = call.params.get("return_url")
    redirect = {"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": url}}
    sdk = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}
    intent.update(status="requires_action", next_action=redirect if back else sdk)
    call.emit("setup_intent.requires_action", intent)


def authenticate(call: Call, intent: Thing, outcome: str) -> None:
    """The payer came back: "succeed", "fail", or a decline code."""
    if intent["status"] != "requires_action":
        raise refused(f"{intent['id']} has a status of {intent['status']}: no payer is asked.", code=UNEXPECTED)
    method = call.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if outcome in DECLINES:
        decline(call, intent, method, outcome)
    elif outcome == "fail":
        message = "The provided PaymentMethod has failed authentication."
        error = {"type": "invalid_request_error", "code": "setup_intent_authentication_failure", "message": message}
        _need_another(call, intent, method, error)
    else:
        _succeed(call, intent, method)


def decline(call: Call, intent: Thing, method: Thing, code: str) -> Refusal:
    """Record a refusal; returns the error, to be raised where a request asked."""
    name, message = DECLINES.get(code, DECLINES["generic_decline"])
    _need_another(call, intent, method, {"type": "card_error", "code": name, "decline_code": code, "message": message})
    return declined(code, setup_intent=dict(intent), payment_method=dict(method))


def _need_another(call: Call, intent: Thing, method: Thing, error: dict[str, Any]) -> None:
    intent.update(status="requires_payment_method", payment_method=None)
    intent["last_setup_error"] = {**error, "payment_method": dict(method)}
    call.emit("setup_intent.setup_failed", intent)


def _succeed(call: Call, intent: Thing, method: Thing) -> None:
    if method["type"] == "bancontact":
        method = mandates.generated(call, method)
    elif method["type"] == "sepa_debit" and call.facts(method)["mandate"] is None:
        mandates.make(call, method)
    call.facts(method)["set_up"] = True
    intent.update(status="succeeded", mandate=call.facts(method)["mandate"])
    if intent["customer"]:
        methods.attach_to(call, method, intent["customer"])
    call.emit("setup_intent.succeeded", intent)


@route("POST", "/v1/setup_intents/*/confirm", "setup_intent", **PLAIN, **CONFIRM, client_secret="text")
def confirm(call: Call) -> Thing:
    """Try to save the method."""
    intent = call.get("setup_intent", call.ids[0])
    method = _method(call, intent)
    _check(call, intent, method)
    _run(call, intent, method)
    return intent


@route("POST", "/v1/setup_intents/*/cancel", "setup_intent", cancellation_reason="text")
def cancel(call: Call) -> Thing:
    """End it."""
    intent = call.get("setup_intent", call.ids[0])
    if intent["status"] not in OPEN:
        message = f"You cannot cancel this SetupIntent because it has a status of {intent['status']}."
        raise refused(message, code=UNEXPECTED, setup_intent=intent)
    intent.update(status="canceled", cancellation_reason=call.params.get("cancellation_reason"), next_action=None)
    call.emit("setup_intent.canceled", intent)
    return intent


@route("GET", "/v1/setup_intents", "setup_intent", **LISTING, customer="text", payment_method="text")
def listing(call: Call) -> dict[str, Any]:
    """The setup intents."""
    return page(call, matching(call.all("setup_intent"), call, "customer", "payment_method"), "/v1/setup_intents")


@route("GET", "/v1/setup_intents/*", "setup_intent", client_secret="text")
def retrieve(call: Call) -> Thing:
    """One setup intent."""
    return call.get("setup_intent", call.ids[0])


@route(
    "POST",
    "/v1/setup_intents/*",
    "setup_intent",
    **PLAIN,
    customer="text",
    description="any",
    metadata="metadata",
)
def update(call: Call) -> Thing:
    """New values."""
    intent = call.get("setup_intent", call.ids[0])
    intent["metadata"] = merged(intent["metadata"], call.params.get("metadata"))
    intent.update({name: call.params[name] or None for name in ("customer", "description") if name in call.params})
    return intent
