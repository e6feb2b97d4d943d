"""expand[]: identifiers in an answer replaced by the objects that they name, at most four levels deep."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.stripe.errors import invalid
from tests.fakes.stripe.store import Store, Thing

DEEPEST = 4
# kind -> field that may be expanded -> kind of what it names (None: it depends)
FIELDS: dict[str, dict[str, str | None]] = {
    "payment_intent": {
        "customer": "customer",
        "payment_method": "payment_method",
        "latest_charge": "charge",
    },
    "setup_intent": {"customer": "customer", "payment_method": "payment_method", "mandate": "mandate"},
    "charge": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "balance_transaction": "balance_transaction",
        "refunds": "refund",
        "transfer": "transfer",
        "source_transfer": "transfer",
    },
    "refund": {
        "charge": "charge",
        "payment_intent": "payment_intent",
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "balance_transaction": {"source": None},
    "transfer": {
        "balance_transaction": "balance_transaction",
        "source_transaction": "charge",
        "destination_payment": "charge",
        "destination": "account",
    },
    "transfer_reversal": {"transfer": "transfer", "balance_transaction": "balance_transaction"},
    "payout": {"balance_transaction": "balance_transaction"},
    "checkout.session": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "setup_intent": "setup_intent",
        "line_items": "item",
    },
    "payment_method": {"customer": "customer"},
    "mandate": {"payment_method": "payment_method"},
}


def check(kind: str, paths: list[Any], *, listed: bool) -> None:
    """Raise a Refusal for a path that cannot be expanded: before any work begins."""
    for path in paths:
        parts = str(path).split(".")
        if len(parts) > DEEPEST + (1 if listed else 0):
            raise invalid(f"You cannot expand more than {DEEPEST} levels of a property.", param="expand")
        if listed and parts.pop(0) != "data":
            raise invalid(f"This property cannot be expanded ({path}). Try 'data.{path}'.", param="expand")
        _walk(kind, parts, str(path))


def _walk(kind: str | None, parts: list[str], path: str) -> None:
    for part in parts:
        if kind is None or part == "data":
            continue
        if part not in FIELDS.get(kind, {}):
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        kind = FIELDS[kind][part]


def expanded(store: Store, account: str, answer: dict[str, Any], paths: list[Any]) -> dict[str, Any]:
    """A copy of the answer with the objects put in."""
    answer = copy.deepcopy(answer)
    for path in paths:
        _put(store, account, answer, str(path).split("."))
    return answer


def _put(store: Store, account: str, thing: Any, parts: list[str]) -> None:
    if isinstance(thing, list):
        for entry in thing:
            _put(store, account, entry, parts)
    elif isinstance(thing, dict) and parts:
        name = parts[0]
        value = thing.get(name)
        if name == "refunds" and thing.get("object") == "charge":
            value = thing[name] = _refunds(store, account, thing)
        elif isinstance(value, str):
            found = store.by_id(account, value) or store.get("platform", "account", value)
            value = thing[name] = copy.deepcopy(found) if found else value
        _put(store, account, value, parts[1:])


def _refunds(store: Store, account: str, charge: Thing) -> dict[str, Any]:
    made = [refund for refund in store.all(account, "refund") if refund["charge"] == charge["id"]]
    url = f"/v1/charges/{charge['id']}/refunds"
    return {"object": "list", "data": copy.deepcopy(made[::-1][:10]), "has_more": len(made) > 10, "url": url}
