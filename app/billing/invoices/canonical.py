"""The one way to write a document's content, and the chain of hashes through a series."""

from __future__ import annotations

import hashlib
import json
from typing import Any

GENESIS = "0" * 64
"""What stands for the hash before the first document of a series."""


class NotCanonical(ValueError):
    """A value that has no single way to be written: a float, or an object of our own."""


def canonical(content: dict[str, Any]) -> str:
    """JSON with sorted keys, no spaces, characters as themselves; whole numbers, texts, truths, nulls only.

    Raises NotCanonical for anything else: an amount with a point would not be read back the same everywhere.
    """
    _check(content)
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """The SHA-256 of a text's UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if type(name) is not str:
                raise NotCanonical(f"a name is not a text: {name!r}")
            _check(inner)
    elif isinstance(value, list):
        for inner in value:
            _check(inner)
    elif value is not None and type(value) not in (str, int, bool):
        raise NotCanonical(f"not written in a document: {value!r}")
