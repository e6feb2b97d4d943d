"""Payment methods: cards by test token, SEPA debits by IBAN, Bancontact; attached to customers and detached."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe import cards
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import declined, invalid, refused
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

TYPES = ("card", "bancontact", "sepa_debit")
DATA = {
    "type": TYPES,
    "card": "hash",
    "sepa_debit": "hash",
    "bancontact": "hash",
    "billing_details": "hash",
    "metadata": "metadata",
    "allow_redisplay": "text",
}


def make(call: Call, kind: str, behaviour: dict[str, Any], **values: Any) -> Thing:
    """A new payment method that belongs to nobody yet."""
    billing = {"address": None, "email": None, "name": None, "phone": None, **values.pop("billing_details", {})}
    method = call.new("payment_method", "pm", type=kind, customer=None, billing_details=billing, metadata={}, **values)
    method["allow_redisplay"] = "unspecified"
    method[kind] = SHOWN[kind](call, behaviour)
    call.facts(method).update(behaviour=behaviour, set_up=False, used_up=False, mandate=None)
    return method


def from_data(call: Call, data: dict[str, Any], where: str = "") -> Thing:
    """The payment method that `payment_method_data` (or the parameters of create) describe."""
    kind = data.get("type")
    if kind is None:
        raise invalid("Missing required param: type.", param=where + "type", code="parameter_missing")
    behaviour = READ[kind](data, where)
    method = make(call, kind, behaviour, billing_details=data.get("billing_details") or {})
    method["metadata"] = merged({}, data.get("metadata"))
    return method


def given(call: Call, key: str, param: str = "payment_method") -> Thing:
    """The payment method named in a parameter; a test token makes a new one each time."""
    token = cards.known(key)
    if token is None:
        return call.get("payment_method", key, param)
    kind, behaviour = token
    return make(call, kind, cards.facts(behaviour), billing_details={"name": "Test Payer", "email": "p@example.test"})


def attach_to(call: Call, method: Thing, customer: str) -> None:
    """Let a customer keep the method; raises a Refusal for one that is used up, another's, or single-use."""
    if method["customer"] == customer:
        return
    if method["customer"] is not None:
        raise refused("The payment method you provided has already been attached to a customer.")
    if call.facts(method)["used_up"] or method["type"] == "bancontact":
        raise refused(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again.",
            param="payment_method",
        )
    method["customer"] = customer
    call.emit("payment_method.attached", method)


@route("POST", "/v1/payment_methods", "payment_method", **DATA)
def create(call: Call) -> Thing:
    """A method by its data."""
    return from_data(call, call.params)


@route("GET", "/v1/payment_methods/*", "payment_method")
def retrieve(call: Call) -> Thing:
    """One method; a test token gives a new one."""
    return given(call, call.ids[0]) if cards.known(call.ids[0]) else call.get("payment_method", call.ids[0])


@route("GET", "/v1/payment_methods", "payment_method", **LISTING, customer="text", type=TYPES)
def listing(call: Call) -> dict[str, Any]:
    """The methods of a customer."""
    kept = matching(call.all("payment_method"), call, "customer", "type")
    return page(call, [method for method in kept if method["customer"]], "/v1/payment_methods")


@route("GET", "/v1/customers/*/payment_methods", "payment_method", **LISTING, type=TYPES)
def of_customer(call: Call) -> dict[str, Any]:
    """The methods of the customer in the path."""
    customer = call.get("customer", call.ids[0])
    kept = [method for method in call.all("payment_method") if method["customer"] == customer["id"]]
    return page(call, matching(kept, call, "type"), f"/v1/customers/{customer['id']}/payment_methods")


@route("POST", "/v1/payment_methods/*/attach", "payment_method", customer="text!")
def attach(call: Call) -> Thing:
    """Let a customer keep it; a card that is refused when saved answers as a declined one."""
    customer = call.get("customer", call.params["customer"], "customer")
    method = given(call, call.ids[0]) if cards.known(call.ids[0]) else call.get("payment_method", call.ids[0])
    code = call.facts(method)["behaviour"]["decline_setup"]
    if code:
        raise declined(code, payment_method=method)
    attach_to(call, method, customer["id"])
    return method


@route("POST", "/v1/payment_methods/*/detach", "payment_method")
def detach(call: Call) -> Thing:
    """Take it from its customer, for good."""
    method = call.get("payment_method", call.ids[0])
    if method["customer"] is None:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer, method["customer"] = method["customer"], None
    call.facts(method)["used_up"] = True
    call.emit("payment_method.detached", method, customer=customer)
    return method


@route(
    "POST",
    "/v1/payment_methods/*",
    "payment_method",
    metadata="metadata",
    billing_details="hash",
    allow_redisplay="text",
    card="hash",
)
def update(call: Call) -> Thing:
    """New metadata or billing details."""
    method = call.get("payment_method", call.ids[0])
    method["metadata"] = merged(method["metadata"], call.params.get("metadata"))
    method["billing_details"].update(call.params.get("billing_details", {}))
    call.emit("payment_method.updated", method)
    return method


def _read_card(data: dict[str, Any], where: str) -> dict[str, Any]:
    token = (data.get("card") or {}).get("token")
    found = cards.known(token) if token else None
    if "number" in (data.get("card") or {}):
        raise invalid(
            "Sending credit card numbers directly to the Stripe API is generally unsafe.", param="card[number]"
        )
    if found is None:
        raise invalid(f"No such token: '{token}'", param=where + "card[token]", code="resource_missing")
    return cards.facts(found[1])


def _read_debit(data: dict[str, Any], where: str) -> dict[str, Any]:
    iban = (data.get("sepa_debit") or {}).get("iban", "").replace(" ", "").upper()
    _billed(data, where, "name", "email")
    numbers = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4]) if iban.isalnum() else ""
    if len(iban) < 15 or int(numbers or 0) % 97 != 1:
        raise invalid(
            "The IBAN you provided is invalid.", param=where + "sepa_debit[iban]", code="invalid_bank_account_iban"
        )
    behaviour = cards.DEBITS.get(iban[-4:], cards.Behaviour())
    return cards.facts(behaviour, last4=iban[-4:], country=iban[:2])


def _read_bancontact(data: dict[str, Any], where: str) -> dict[str, Any]:
    _billed(data, where, "name")
    return cards.facts(cards.Behaviour(country="BE"))


def _billed(data: dict[str, Any], where: str, *names: str) -> None:
    for name in names:
        if not (data.get("billing_details") or {}).get(name):
            shown = f"{where}billing_details[{name}]"
            raise invalid(f"Missing required param: {shown}.", param=shown, code="parameter_missing")


def _show_card(call: Call, behaviour: dict[str, Any]) -> dict[str, Any]:
    return {
        "brand": behaviour["brand"],
        "last4": behaviour["last4"],
        "country": behaviour["country"],
        "exp_month": 12,
        "exp_year": 2034,
        "funding": "credit",
        "fingerprint": call.fake.store.word(f"card/{behaviour['last4']}", 16),
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "three_d_secure_usage": {"supported": True},
        "networks": {"available": [behaviour["brand"]], "preferred": None},
        "wallet": None,
    }


def _show_debit(call: Call, behaviour: dict[str, Any]) -> dict[str, Any]:
    return {
        "bank_code": "19043",
        "branch_code": "",
        "country": behaviour["country"],
        "fingerprint": call.fake.store.word(f"debit/{behaviour['country']}{behaviour['last4']}", 16),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": behaviour["last4"],
    }


READ = {"card": _read_card, "sepa_debit": _read_debit, "bancontact": _read_bancontact}
SHOWN = {"card": _show_card, "sepa_debit": _show_debit, "bancontact": lambda call, behaviour: {}}
