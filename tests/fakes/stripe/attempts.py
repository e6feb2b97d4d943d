"""What happens when a payment intent is confirmed, and what becomes of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.stripe import cards, charges, disputes, mandates, methods, search
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import DECLINES, Refusal, declined, refused
from tests.fakes.stripe.kinds import REDIRECTING
from tests.fakes.stripe.store import Thing

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
UNEXPECTED = "payment_intent_unexpected_state"


@dataclass
class Plan:
    """A confirmation that passed all checks."""

    method: Thing
    off_session: bool
    fail_on_action: bool


def check(call: Call, intent: Thing) -> Plan:
    """What a confirmation with the parameters of the call would do; raises a Refusal, and changes nothing then."""
    if intent["status"] not in CONFIRMABLE:
        why = "has already succeeded" if intent["status"] == "succeeded" else f"has a status of {intent['status']}"
        raise refused(
            f"You cannot confirm this PaymentIntent because it {why} after being previously confirmed.",
            code=UNEXPECTED,
            payment_intent=intent,
        )
    method = _method(call, intent)
    off_session = str(call.params.get("off_session", "false")) not in ("false", "False")
    if method["type"] not in intent["payment_method_types"]:
        raise refused(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent.",
            param="payment_method",
            code="payment_intent_incompatible_payment_method",
            payment_intent=intent,
        )
    if method["customer"] != intent["customer"] and method["customer"] is not None:
        raise refused(
            f"The payment method supplied ({method['id']}) belongs to another Customer. Please include the Customer "
            "in the `customer` parameter on the PaymentIntent.",
            param="payment_method",
        )
    if call.facts(method)["used_up"]:
        raise refused(
            "The provided PaymentMethod was previously used without Customer attachment, or was detached from a "
            "Customer, and may not be used again.",
            param="payment_method",
        )
    _check_kind(call, intent, method, off_session)
    return Plan(method, off_session, call.params.get("error_on_requires_action", False))


def _method(call: Call, intent: Thing) -> Thing:
    if "payment_method" in call.params:
        return methods.given(call, call.params["payment_method"])
    if "payment_method_data" in call.params:
        return methods.from_data(call, call.params["payment_method_data"], "payment_method_data")
    if intent["payment_method"] is None:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code=UNEXPECTED,
            payment_intent=intent,
        )
    return call.get("payment_method", intent["payment_method"], "payment_method")


def _check_kind(call: Call, intent: Thing, method: Thing, off_session: bool) -> None:
    automatic = intent["automatic_payment_methods"] or {}
    redirects = automatic.get("enabled") and automatic.get("allow_redirects", "always") == "always"
    url = call.params.get("return_url") or call.facts(intent).get("return_url")
    if ((redirects and not off_session) or method["type"] == REDIRECTING) and not url:
        raise refused(
            "This PaymentIntent is configured to accept payment methods that might redirect your customer off of "
            "your page: you must provide a `return_url`.",
            param="return_url",
        )
    if method["type"] != "card" and intent["currency"] != "eur":
        raise refused(
            f"The currency provided ({intent['currency']}) is invalid for {method['type']}.", param="currency"
        )
    if method["type"] == REDIRECTING and off_session:
        raise refused("bancontact cannot be used off session.", param="off_session")
    if method["type"] == "sepa_debit":
        mandates.check(call, method)


def run(call: Call, intent: Thing, plan: Plan) -> None:
    """Try to take the money; raises a Refusal with 402 where the issuer says no, with everything recorded."""
    method = plan.method
    intent.update(
        payment_method=method["id"], last_payment_error=None, next_action=None, status="requires_confirmation"
    )
    if "return_url" in call.params:
        call.facts(intent)["return_url"] = call.params["return_url"]
    for name in ("setup_future_usage", "payment_method_options"):
        if name in call.params:
            intent[name] = call.params[name] or None
    try:
        STARTED[method["type"]](call, intent, plan)
    finally:
        search.touch(call, intent)


def _card(call: Call, intent: Thing, plan: Plan) -> None:
    known = call.facts(plan.method)
    code = call.forced.get("decline") or known["behaviour"]["decline"]
    wish = ((intent["payment_method_options"] or {}).get("card") or {}).get("request_three_d_secure")
    forced = wish in ("any", "challenge") and not plan.off_session
    wants = forced or code == "authentication_required" or _wants(known, plan.off_session)
    if wants and (plan.off_session or plan.fail_on_action):
        raise decline(call, intent, plan.method, "authentication_required")
    if wants:
        _send_payer(call, intent, "three_d_secure_2")
    elif code:
        raise decline(call, intent, plan.method, code)
    else:
        _succeed(call, intent, plan.method)


def _wants(known: dict[str, Any], off_session: bool) -> bool:
    """Whether the issuer asks for the payer."""
    wish = known["behaviour"]["authenticate"]
    if wish == cards.UNLESS_SET_UP:
        return not known["set_up"]
    if wish == cards.ONCE_SET_UP:  # it counts as set up: only a payer who is there is asked
        return not off_session
    return wish == cards.ALWAYS


def _bancontact(call: Call, intent: Thing, plan: Plan) -> None:
    _send_payer(call, intent, "bancontact")


def _debit(call: Call, intent: Thing, plan: Plan) -> None:
    method = plan.method
    if "mandate_data" in call.params and call.facts(method)["mandate"] is None:
        mandates.make(call, method)
    charge = charges.open_for(call, intent, method)
    intent["status"] = "processing"
    call.emit("payment_intent.processing", intent)
    call.emit("charge.pending", charge)
    behaviour = call.facts(method)["behaviour"]
    outcome = call.forced.get("decline") or behaviour["decline"] or "succeed"
    delay = behaviour["delay"] if behaviour["delay"] is not None else call.fake.settings.sepa_delay
    call.later(delay, "settle", intent=intent["id"], charge=charge["id"], outcome=outcome)


def _send_payer(call: Call, intent: Thing, why: str) -> None:
    url = f"{call.fake.settings.payer_page}/{why}/authenticate/{intent['id']}"
    back = call.facts(intent).get("return_url")
    intent["status"] = "requires_action"
    if back:
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": url}}
    else:
        sdk = {"type": "three_d_secure_redirect", "stripe_js": url, "source": f"src_{intent['id'][3:]}"}
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    call.emit("payment_intent.requires_action", intent)


def authenticate(call: Call, intent: Thing, outcome: str) -> None:
    """The payer came back: "succeed", "fail", or a decline code of what follows the authentication."""
    if intent["status"] != "requires_action":
        raise refused(f"{intent['id']} has a status of {intent['status']}: no payer is asked.", code=UNEXPECTED)
    method = call.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    after = call.facts(method)["behaviour"]["after"] if outcome == "succeed" else outcome
    if outcome == "fail":
        _not_authenticated(call, intent, method)
    elif after in DECLINES:
        decline(call, intent, method, after)
    else:
        _succeed(call, intent, method)
    search.touch(call, intent)


def settle(call: Call, intent: str, charge: str, outcome: str) -> None:
    """A debit that was processing comes in ("succeed") or comes back (a failure code)."""
    found, taken = call.get("payment_intent", intent), call.get("charge", charge)
    if found["status"] != "processing" or found["latest_charge"] != charge:
        return
    method = call.get("payment_method", taken["payment_method"])
    if outcome == "succeed":
        _finish(call, found, method, taken)
    else:
        message = "The payment was returned by the bank."
        charges.failed(call, taken, outcome, message)
        _need_another(
            call, found, method, {"type": "card_error", "code": outcome, "message": message, "charge": charge}
        )
    search.touch(call, found)


def decline(call: Call, intent: Thing, method: Thing, code: str) -> Refusal:
    """Record a refused attempt; returns the error, to be raised where a request asked for the attempt."""
    charge = charges.open_for(call, intent, method)
    name, message = DECLINES.get(code, DECLINES["generic_decline"])
    charges.failed(call, charge, name, message)
    error = {"type": "card_error", "code": name, "decline_code": code, "message": message, "charge": charge["id"]}
    _need_another(call, intent, method, error)
    return declined(code, charge=charge["id"], payment_intent=dict(intent), payment_method=dict(method))


def _not_authenticated(call: Call, intent: Thing, method: Thing) -> None:
    message = "The provided PaymentMethod has failed authentication."
    error = {"type": "invalid_request_error", "code": "payment_intent_authentication_failure", "message": message}
    _need_another(call, intent, method, error)


def _need_another(call: Call, intent: Thing, method: Thing, error: dict[str, Any]) -> None:
    intent.update(status="requires_payment_method", payment_method=None, next_action=None)
    intent["last_payment_error"] = {**error, "payment_method": dict(method)}
    call.emit("payment_intent.payment_failed", intent)


def _succeed(call: Call, intent: Thing, method: Thing) -> None:
    _finish(call, intent, method, charges.open_for(call, intent, method))


def _finish(call: Call, intent: Thing, method: Thing, charge: Thing) -> None:
    charges.paid(call, charge)
    intent.update(status="succeeded", amount_received=intent["amount"], next_action=None)
    known = call.facts(method)
    if intent["setup_future_usage"]:
        known["set_up"] = True
        _keep(call, intent, method, charge)
    elif method["customer"] is None:
        known["used_up"] = True  # a method that nobody keeps is good for one payment
    call.emit("payment_intent.succeeded", intent)
    if known["behaviour"]["dispute"]:
        disputes.open_on(call, charge, reason=known["behaviour"]["dispute"])


def _keep(call: Call, intent: Thing, method: Thing, charge: Thing) -> None:
    """Save the method for later; Bancontact leaves a SEPA debit with a mandate in its place."""
    if method["type"] == REDIRECTING:
        debit = mandates.generated(call, method)
        shown = charge["payment_method_details"][REDIRECTING]
        shown.update(generated_sepa_debit=debit["id"], generated_sepa_debit_mandate=call.facts(debit)["mandate"])
        debit["sepa_debit"]["generated_from"]["charge"] = charge["id"]
        method = debit
    if intent["customer"]:
        methods.attach_to(call, method, intent["customer"])


STARTED = {"card": _card, "bancontact": _bancontact, "sepa_debit": _debit}
