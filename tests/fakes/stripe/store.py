"""Where the objects are kept, per account and kind, and how they get their identifiers."""

from __future__ import annotations

import hashlib
from typing import Any

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 24

# prefix of an identifier -> kind of object
PREFIXES = {
    "acct": "account",
    "ch": "charge",
    "cs": "checkout.session",
    "cus": "customer",
    "du": "dispute",
    "evt": "event",
    "mandate": "mandate",
    "pi": "payment_intent",
    "pm": "payment_method",
    "po": "payout",
    "py": "charge",
    "pyr": "refund",
    "re": "refund",
    "seti": "setup_intent",
    "tr": "transfer",
    "trr": "transfer_reversal",
    "txn": "balance_transaction",
}

Thing = dict[str, Any]


class Store:
    """All objects. `hidden` holds what an object does not show, by its identifier."""

    def __init__(self, seed: int) -> None:
        self.seed, self.number = seed, 0
        self.things: dict[str, dict[str, dict[str, Thing]]] = {}
        self.hidden: dict[str, dict[str, Any]] = {}

    def new_id(self, prefix: str) -> str:
        """The next identifier; the same seed gives the same ones in the same order."""
        self.number += 1
        return f"{prefix}_{self.word(f'{prefix}/{self.number}', LENGTH)}"

    def word(self, of: str, length: int) -> str:
        """Letters and digits that follow from the seed and `of`."""
        value = int.from_bytes(hashlib.blake2b(f"{self.seed}/{of}".encode()).digest(), "big")
        letters = []
        for _ in range(length):
            value, rest = divmod(value, len(ALPHABET))
            letters.append(ALPHABET[rest])
        return "".join(letters)

    def add(self, account: str, thing: Thing) -> Thing:
        """Keep a new object under its kind and id."""
        self.things.setdefault(account, {}).setdefault(thing["object"], {})[thing["id"]] = thing
        return thing

    def get(self, account: str, kind: str, key: str) -> Thing | None:
        """The object, or None."""
        return self.things.get(account, {}).get(kind, {}).get(key)

    def all(self, account: str, kind: str) -> list[Thing]:
        """All of a kind, oldest first."""
        return list(self.things.get(account, {}).get(kind, {}).values())

    def by_id(self, account: str, key: str) -> Thing | None:
        """The object whose kind follows from the prefix of `key`."""
        kind = PREFIXES.get(key.split("_", 1)[0])
        return self.get(account, kind, key) if kind else None

    def facts(self, key: str) -> dict[str, Any]:
        """What is known of an object but not shown, to be read and changed."""
        return self.hidden.setdefault(key, {})
