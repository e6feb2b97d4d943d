"""A posting as canonical text, the same wherever it is written: what its digest is of, and what archives keep.

A text holds public ids only, so that whoever has it can compute the digest again without the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

FORMAT = "passerelle.posting/1"


class Line(NamedTuple):
    """Debit > 0, credit < 0; `party` is a public id."""

    account: str
    party: UUID | None
    cents: int


def canonical(
    *, operator: UUID, day: date, currency: str, kind: str, key: str, document: str | None, facts: dict[str, Any],
    lines: Sequence[Line],
) -> dict[str, Any]:  # fmt: skip
    """What a posting says, without when and as what it was written: two that say the same are equal."""
    return {
        "format": FORMAT,
        "operator": str(operator),
        "day": day.isoformat(),
        "currency": currency,
        "kind": kind,
        "key": key,
        "document": document,
        "facts": facts,
        "entries": [
            {"account": line.account, "party": line.party and str(line.party), "cents": line.cents} for line in lines
        ],
    }


def canonical_text(posting: dict[str, Any]) -> str:
    """Sorted keys, no spaces. Raises TypeError for a float, or for what JSON does not know."""
    _refuse_floats(posting)
    return json.dumps(posting, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(posting: dict[str, Any]) -> bytes:
    return hashlib.sha256(canonical_text(posting).encode()).digest()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("no float in a posting: amounts are integer cents")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _refuse_floats(inner)
