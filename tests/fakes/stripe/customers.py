"""Customers."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.methods import attach_to, given
from tests.fakes.stripe.pages import matching, page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

PLAIN = {"name": "any", "email": "any", "description": "any", "phone": "any", "address": "any", "shipping": "any"}
OTHERS = {
    "preferred_locales": "list",
    "invoice_settings": "hash",
    "tax_exempt": "text",
    "tax": "hash",
    "business_name": "any",
    "individual_name": "any",
    "invoice_prefix": "text",
    "tax_id_data": "list",
    "validate": "any",
}


@route("POST", "/v1/customers", "customer", **PLAIN, **OTHERS, metadata="metadata", payment_method="text")
def create(call: Call) -> Thing:
    """A customer; `payment_method` is attached at once."""
    method = given(call, call.params["payment_method"]) if "payment_method" in call.params else None
    fields = {name: call.params.get(name) or None for name in PLAIN}
    customer = call.new("customer", "cus", **fields, metadata=merged({}, call.params.get("metadata")))
    customer.update(balance=0, currency=None, default_source=None, delinquent=False, tax_exempt="none")
    customer["preferred_locales"] = call.params.get("preferred_locales", [])
    settings = {"default_payment_method": None, "custom_fields": None, "footer": None, "rendering_options": None}
    customer["invoice_settings"] = {**settings, **call.params.get("invoice_settings", {})}
    if method:
        attach_to(call, method, customer["id"])
    call.emit("customer.created", customer)
    return customer


@route("GET", "/v1/customers", "customer", **LISTING, email="text")
def listing(call: Call) -> dict[str, Any]:
    """The customers that are not deleted."""
    there = [customer for customer in call.all("customer") if not customer.get("deleted")]
    return page(call, matching(there, call, "email"), "/v1/customers")


@route("GET", "/v1/customers/*", "customer")
def retrieve(call: Call) -> Thing:
    """One customer; of a deleted one only that it is."""
    return call.get("customer", call.ids[0])


@route("POST", "/v1/customers/*", "customer", **PLAIN, **OTHERS, metadata="metadata")
def update(call: Call) -> Thing:
    """New values; what is not given stays."""
    customer = call.get("customer", call.ids[0])
    changed = {name: call.params[name] or None for name in PLAIN if name in call.params}
    previous = {name: customer.get(name) for name in changed}
    customer.update(changed)
    customer["metadata"] = merged(customer.get("metadata", {}), call.params.get("metadata"))
    customer.setdefault("invoice_settings", {}).update(call.params.get("invoice_settings", {}))
    call.emit("customer.updated", customer, **previous)
    return customer


@route("DELETE", "/v1/customers/*", "customer")
def delete(call: Call) -> Thing:
    """Delete it, and detach its payment methods."""
    customer = call.get("customer", call.ids[0])
    for method in call.all("payment_method"):
        if method["customer"] == customer["id"]:
            method["customer"] = None
            call.facts(method)["used_up"] = True
    call.emit("customer.deleted", customer)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    customer.clear()
    customer.update(gone)
    return gone
