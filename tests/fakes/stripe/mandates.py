"""Mandates for SEPA debits: made when the payer accepts, needed for every debit."""

from __future__ import annotations

from tests.fakes.stripe import cards, methods
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import refused
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing


def make(call: Call, method: Thing) -> Thing:
    """A mandate for the method, active at once."""
    accepted = (call.params.get("mandate_data") or {}).get("customer_acceptance") or {"type": "online"}
    mandate = call.new(
        "mandate",
        "mandate",
        customer_acceptance={"accepted_at": call.now, **accepted},
        multi_use={},
        payment_method=method["id"],
        payment_method_details={"type": "sepa_debit", "sepa_debit": {}},
        status="active",
        type="multi_use",
    )
    reference = call.fake.store.word(f"mandate/{mandate['id']}", 16).upper()
    page = f"https://hooks.example.test/mandates/{reference}"
    mandate["payment_method_details"]["sepa_debit"] = {"reference": reference, "url": page}
    call.facts(method)["mandate"] = mandate["id"]
    return mandate


def check(call: Call, method: Thing) -> None:
    """Raise a Refusal where there is no mandate that would allow a debit."""
    known = call.facts(method)["mandate"]
    key = call.params.get("mandate") or known
    if key is None:
        if "mandate_data" in call.params:
            return
        raise refused(
            "A mandate is needed to debit this account: provide mandate_data or save the payment method first.",
            param="mandate_data",
            code="parameter_missing",
        )
    mandate = call.get("mandate", key, "mandate")
    if mandate["status"] != "active" or mandate["payment_method"] != method["id"]:
        raise refused(
            "The mandate is not usable for this payment.", param="mandate", code="payment_intent_mandate_invalid"
        )


def generated(call: Call, method: Thing) -> Thing:
    """The SEPA debit that a Bancontact payment leaves when it is saved, with its mandate."""
    behaviour = cards.facts(cards.Behaviour(last4="7061", country="BE"))
    billing = {name: method["billing_details"][name] for name in ("name", "email")}
    debit = methods.make(call, "sepa_debit", behaviour, billing_details=billing)
    make(call, debit)
    return debit


def deactivate(call: Call, key: str) -> Thing:
    """The payer, or the bank, takes the mandate back."""
    mandate = call.get("mandate", key)
    mandate["status"] = "inactive"
    call.emit("mandate.updated", mandate, status="active")
    return mandate


@route("GET", "/v1/mandates/*", "mandate")
def retrieve(call: Call) -> Thing:
    """One mandate."""
    return call.get("mandate", call.ids[0])
