"""Checkout sessions: a page of the provider where the payer pays or saves a method; the test plays the payer."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import amounts, attempts, intents, kinds, search, setups
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import invalid, refused
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

DAY, SHORTEST = 24 * 60 * 60, 30 * 60
# Documented and taken, without any effect here:
IGNORED = (
    "adaptive_pricing",
    "after_expiration",
    "allow_promotion_codes",
    "billing_address_collection",
    "branding_settings",
    "consent_collection",
    "custom_fields",
    "custom_text",
    "customer_update",
    "invoice_creation",
    "name_collection",
    "payment_method_options",
    "phone_number_collection",
    "saved_payment_method_options",
    "submit_type",
    "tax_id_collection",
    "wallet_options",
)
OF_INTENT = {
    "capture_method": ("automatic", "automatic_async"),
    "metadata": "metadata",
    "setup_future_usage": ("off_session", "on_session"),
    "shipping": "hash",
    **dict.fromkeys(intents.TEXTS, "any"),
}
SPEC: dict[str, Any] = {
    **dict.fromkeys(IGNORED, "any"),
    "mode": ("payment", "setup"),
    "ui_mode": "text",
    "success_url": "text",
    "cancel_url": "text",
    "customer": "text",
    "customer_email": "text",
    "customer_creation": ("always", "if_required"),
    "client_reference_id": "text",
    "currency": "text",
    "line_items": "list",
    "payment_intent_data": OF_INTENT,
    "setup_intent_data": {"description": "any", "metadata": "metadata"},
    **{name: kinds.SPEC[name] for name in (kinds.ALLOWED, kinds.EXCLUDED, kinds.EXACT)},
    "expires_at": "int",
    "metadata": "metadata",
    "locale": "text",
}


@route("POST", "/v1/checkout/sessions", "checkout.session", **SPEC)
def create(call: Call) -> Thing:
    """A session that is open for a day, or until `expires_at`."""
    mode = call.params.get("mode")
    if mode is None or "success_url" not in call.params:
        name = "mode" if mode is None else "success_url"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if mode == "setup" and not {"currency", kinds.ALLOWED, kinds.EXACT} & set(call.params):
        raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
    expires = call.params.get("expires_at", call.now + DAY)
    if not call.now + SHORTEST - 60 <= expires <= call.now + DAY:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
        )
    items, currency, total = _items(call) if mode == "payment" else ([], call.params.get("currency"), None)
    customer = call.maybe("customer", "customer")
    session = call.new(
        "checkout.session",
        "cs_test",
        amount_subtotal=total,
        amount_total=total,
        cancel_url=call.params.get("cancel_url"),
        client_reference_id=call.params.get("client_reference_id"),
        currency=currency,
        customer=customer["id"] if customer else None,
        customer_creation=call.params.get("customer_creation", "if_required") if mode == "payment" else None,
        customer_details=None,
        customer_email=call.params.get("customer_email"),
        expires_at=expires,
        locale=call.params.get("locale"),
        metadata=merged({}, call.params.get("metadata")),
        mode=mode,
        payment_intent=None,
        payment_method_types=kinds.chosen(call, call.params, currency)["payment_method_types"],
        allowed_payment_method_types=call.params.get("allowed_payment_method_types"),
        payment_status="no_payment_required" if mode == "setup" else "unpaid",
        setup_intent=None,
        status="open",
        success_url=call.params["success_url"],
        ui_mode=call.params.get("ui_mode", "hosted_page"),
    )
    session["url"] = f"{call.fake.settings.payer_page}/c/pay/{session['id']}"
    call.facts(session).update(items=items, given=dict(call.params))
    if mode == "setup":
        session["setup_intent"] = _setup(call, session)["id"]
    call.later(expires - call.fake.clock.now(), "expire_session", session=session["id"])
    return session


def _items(call: Call) -> tuple[list[dict[str, Any]], str, int]:
    items, total, currency = [], 0, ""
    for index, line in enumerate(call.params.get("line_items", [])):
        price, where = line.get("price_data"), f"line_items[{index}]"
        if not isinstance(price, dict) or "unit_amount" not in price or "currency" not in price:
            raise invalid(f"{where}: price_data with currency and unit_amount is needed here.", param=where)
        amount, quantity = int(price["unit_amount"]), int(line.get("quantity", 1))
        currency = price["currency"].lower()
        total += amount * quantity
        name = (price.get("product_data") or {}).get("name")
        shown = {"id": f"li_{index + 1}", "object": "item", "description": name, "quantity": quantity}
        items.append(
            {**shown, "currency": currency, "amount_total": amount * quantity, "amount_subtotal": amount * quantity}
        )
    if not items:
        raise invalid("Missing required param: line_items.", param="line_items", code="parameter_missing")
    amounts.check(total, currency)
    return items, currency, total


def _setup(call: Call, session: Thing) -> Thing:
    given = call.params.get("setup_intent_data", {})
    same = {"payment_method_types": session["payment_method_types"]}
    intent = setups.build(call, {**given, **same}, session["customer"])
    call.emit("setup_intent.created", intent)
    return intent


def complete(call: Call, session: Thing, how: dict[str, Any]) -> Thing:
    """The payer fills the page in with `how` (payment_method, or payment_method_data) and authenticates where asked.

    A card that is declined leaves the session open, as the page does; raises a Refusal for one that is not open.
    """
    if session["status"] != "open":
        raise refused(f"This Session is {session['status']}.")
    outcome = how.pop("authenticate", "succeed")
    url = {"return_url": session["success_url"], "mandate_data": {"customer_acceptance": {"type": "online"}}}
    work = Call(call.fake, call.account, {**url, **how})
    intent = (_paying if session["mode"] == "payment" else _saving)(work, session)
    if intent["status"] == "requires_action":
        step = attempts if intent["object"] == "payment_intent" else setups
        step.authenticate(work, intent, outcome)
    if intent["status"] in ("succeeded", "processing"):
        _completed(call, session, intent)
    return session


def _paying(call: Call, session: Thing) -> Thing:
    given = call.fake.store.facts(session["id"])["given"]
    if session["customer"] is None and session["customer_creation"] == "always":
        made = call.new("customer", "cus", email=session["customer_email"], name=None, metadata={}, description=None)
        session["customer"] = made["id"]
        call.emit("customer.created", made)
    if session["payment_intent"] is None:
        data = {
            **given.get("payment_intent_data", {}),
            "amount": session["amount_total"],
            "currency": session["currency"],
        }
        data["payment_method_types"] = session["payment_method_types"]
        intent = intents.build(call, data, session["customer"])
        session["payment_intent"] = intent["id"]
        call.emit("payment_intent.created", intent)
    intent = call.get("payment_intent", session["payment_intent"])
    call.facts(intent)["session"] = session["id"]
    attempts.run(call, intent, attempts.check(call, intent))
    search.touch(call, intent)
    return intent


def _saving(call: Call, session: Thing) -> Thing:
    intent = call.get("setup_intent", session["setup_intent"])
    method = setups._method(call, intent)
    setups._check(call, intent, method)
    setups._run(call, intent, method)
    return intent


def _completed(call: Call, session: Thing, intent: Thing) -> None:
    session.update(status="complete", url=None)
    method = call.get("payment_method", intent["payment_method"])
    billing = method["billing_details"]
    session["customer_details"] = {**billing, "email": session["customer_email"] or billing["email"], "tax_ids": []}
    if session["mode"] == "payment" and intent["status"] == "succeeded":
        session["payment_status"] = "paid"
    call.emit("checkout.session.completed", session)
    if intent["status"] == "processing":
        call.facts(session)["waiting"] = True


def settled(call: Call, intent: Thing) -> None:
    """The debit of a completed session came in or came back."""
    session = call.fake.store.get(call.account, "checkout.session", call.facts(intent).get("session", ""))
    if session and call.facts(session).pop("waiting", False):
        good = intent["status"] == "succeeded"
        session["payment_status"] = "paid" if good else "unpaid"
        call.emit(f"checkout.session.async_payment_{'succeeded' if good else 'failed'}", session)


def expire_if_open(call: Call, session: str) -> None:
    """Its time is over."""
    found = call.get("checkout.session", session)
    if found["status"] == "open":
        found.update(status="expired", url=None)
        call.emit("checkout.session.expired", found)


@route("POST", "/v1/checkout/sessions/*/expire", "checkout.session")
def expire(call: Call) -> Thing:
    """Close an open session."""
    session = call.get("checkout.session", call.ids[0])
    if session["status"] != "open":
        message = 'Only Checkout Sessions with a status in ["open"] can be expired.'
        raise refused(f"{message} This Session has a status of {session['status']}.")
    expire_if_open(call, session["id"])
    return session


@route(
    "GET", "/v1/checkout/sessions", "checkout.session", **LISTING, payment_intent="text", customer="text", status="text"
)
def listing(call: Call) -> dict[str, Any]:
    """The sessions."""
    names = ("payment_intent", "customer", "status")
    return page(call, matching(call.all("checkout.session"), call, *names), "/v1/checkout/sessions")


@route("GET", "/v1/checkout/sessions/*/line_items", "item", limit="int", starting_after="text")
def line_items(call: Call) -> dict[str, Any]:
    """What is bought."""
    session = call.get("checkout.session", call.ids[0])
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "data": call.facts(session)["items"], "has_more": False, "url": url}


@route("GET", "/v1/checkout/sessions/*", "checkout.session")
def retrieve(call: Call) -> Thing:
    """One session."""
    return call.get("checkout.session", call.ids[0])
