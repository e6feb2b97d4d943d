"""Adding up again what a day's rows come to, and finding where that differs from what its closing says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]
Key = tuple[Any, ...]

# A closing's tables: what tells rows apart, what adds up.
AMOUNTS = ("net_cents", "vat_cents", "gross_cents")
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "documents": (("kind", "currency", "series"), ("count", *AMOUNTS)),
    "taxes": (("kind", "currency", "category", "permille"), ("net_cents", "vat_cents")),
    "ledger": (("currency",), ("postings", "entries", "debit_cents", "credit_cents")),
    "charges": (("currency",), ("count", *AMOUNTS)),
    "payments": (("source", "currency"), ("count", "cents")),
}
GRAND = TABLES | {"documents": (("kind", "currency"), TABLES["documents"][1])}


class Digest:
    """The SHA-256 of texts joined by line feeds, as they come."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._first = True

    def add(self, text: str) -> None:
        self._sha256.update((text if self._first else f"\n{text}").encode())
        self._first = False

    def hex(self) -> str:
        return self._sha256.hexdigest()


class Sums:
    """Tables of sums by key."""

    def __init__(self, shape: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        self._shape = shape
        self._found: dict[str, dict[Key, list[int]]] = {name: {} for name in shape}

    def add(self, table: str, key: Key, amounts: Iterable[int]) -> None:
        given = list(amounts)
        kept = self._found[table].setdefault(key, [0] * len(given))
        for place, amount in enumerate(given):
            kept[place] += amount

    def add_tables(self, said: Json) -> None:
        """The tables of a closing, by their own names of columns."""
        for name, (keys, sums) in self._shape.items():
            for row in said[name]:
                self.add(name, tuple(row[key] for key in keys), (row[column] for column in sums))

    def differences(self, said: Json) -> Iterator[str]:
        """What `said` says otherwise, in words."""
        other = Sums(self._shape)
        other.add_tables(said)
        for name, (_, columns) in self._shape.items():
            mine, theirs = self._found[name], other._found[name]
            nothing = [0] * len(columns)
            for key in sorted(mine.keys() | theirs.keys(), key=str):
                for place, column in enumerate(columns):
                    found, wanted = mine.get(key, nothing)[place], theirs.get(key, nothing)[place]
                    if found != wanted:
                        yield f"{name} {' '.join(map(str, key))}: {column} is {wanted}, recomputed {found}"
