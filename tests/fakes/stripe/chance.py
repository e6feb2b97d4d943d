"""Chance that comes out the same for the same seed: each rule of a script decides by the count of what it met."""

from __future__ import annotations

import fnmatch
import hashlib
from typing import Any


def happens(seed: int, rule: int, count: int, probability: float) -> bool:
    """Whether the rule numbered `rule` applies to the `count`-th thing that it met."""
    digest = hashlib.blake2b(f"{seed}/{rule}/{count}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < probability


class Script:
    """Rules in order, the first that applies wins. Each is a dict with the matched fields and:

    `kind` what happens, `probability` (1), `after` how many matches pass first (0), `times` how often at most (always).
    """

    def __init__(self, seed: int, matched: tuple[str, ...], kinds: tuple[str, ...], others: tuple[str, ...]) -> None:
        self.seed, self.matched, self.kinds = seed, matched, kinds
        self.known = {*matched, *others, "kind", "probability", "after", "times"}
        self.rules: list[dict[str, Any]] = []
        self.numbers = 0

    def add(self, **rule: Any) -> dict[str, Any]:
        """A rule more; raises ValueError for a field or kind that is none."""
        if unknown := set(rule) - self.known:
            raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
        if rule.get("kind") not in self.kinds:
            raise ValueError(f"kind must be one of {', '.join(self.kinds)}")
        self.numbers += 1
        made = {"probability": 1.0, "after": 0, "times": None, **rule, "number": self.numbers, "met": 0, "applied": 0}
        self.rules.append(made)
        return made

    def clear(self) -> None:
        """No rules any more."""
        self.rules.clear()

    def pick(self, **thing: str) -> dict[str, Any] | None:
        """The rule that applies to this thing, or None; every rule that matches counts it."""
        found = None
        for rule in self.rules:
            if all(fnmatch.fnmatchcase(thing[name], rule.get(name, "*")) for name in self.matched):
                rule["met"] += 1
                if found is None and self._applies(rule):
                    rule["applied"] += 1
                    found = rule
        return found

    def _applies(self, rule: dict[str, Any]) -> bool:
        if rule["met"] <= rule["after"] or (rule["times"] is not None and rule["applied"] >= rule["times"]):
            return False
        return happens(self.seed, rule["number"], rule["met"], rule["probability"])
