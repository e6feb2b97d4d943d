"""Accounts: the platform's own, and those connected to it."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.events import PLATFORM
from tests.fakes.stripe.pages import page
from tests.fakes.stripe.params import LISTING, merged
from tests.fakes.stripe.routes import route
from tests.fakes.stripe.store import Thing

WORDS = {"type": "text", "country": "text", "email": "text", "business_type": "text", "default_currency": "text"}
OBJECTS = ("controller", "capabilities", "business_profile", "company", "individual", "settings", "tos_acceptance")
HASHES = dict.fromkeys(OBJECTS, "hash")


def connect(call: Call, key: str | None = None, **values: Any) -> Thing:
    """A connected account that can be charged and paid out; `key` is its identifier where the test wants one."""
    account = call.on(PLATFORM).new("account", "acct", charges_enabled=True, payouts_enabled=True, **values)
    if key:
        del call.fake.store.things[PLATFORM]["account"][account["id"]]
        account["id"] = key
        call.fake.store.add(PLATFORM, account)
    account.update(details_submitted=True, default_currency="eur", settings={}, requirements={"currently_due": []})
    return account


@route("GET", "/v1/account", "account")
def own(call: Call) -> Thing:
    """The account that the key, or Stripe-Account, speaks for."""
    name = call.fake.store.facts(PLATFORM)["id"] if call.account == PLATFORM else call.account
    return call.on(PLATFORM).get("account", name)


@route("POST", "/v1/accounts", "account", **WORDS, **HASHES, metadata="metadata")
def create(call: Call) -> Thing:
    """A connected account."""
    values = {name: call.params.get(name) for name in ("type", "country", "email")}
    return connect(call, **values, metadata=merged({}, call.params.get("metadata")))


@route("GET", "/v1/accounts", "account", **LISTING)
def listing(call: Call) -> dict[str, Any]:
    """The connected accounts."""
    mine = call.fake.store.facts(PLATFORM)["id"]
    return page(call, [one for one in call.all("account") if one["id"] != mine], "/v1/accounts")


@route("GET", "/v1/accounts/*", "account")
def retrieve(call: Call) -> Thing:
    """One connected account."""
    return call.get("account", call.ids[0])
