"""Request bodies: JSON that means one thing. Duplicate keys, NaN, huge numbers, NUL and lone surrogates are refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from app.errors import Invalid, Problem

LARGEST = 2**53  # beyond it, other readers of JSON see another number
LONGEST_NUMBER = 17  # characters
DEEPEST = 20  # levels of nesting
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class BadJson(Problem):
    code = "bad_json"
    status = 400
    title = "The body is not one JSON object in UTF-8."


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises BadJson for what is no JSON, Invalid naming the field for what is unsafe."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_integer
        )
        _check(value, "", DEEPEST)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadJson(detail=str(error)[:200], remedy="send one JSON object encoded in UTF-8") from None
    if not isinstance(value, dict):
        raise BadJson(remedy="send one JSON object")
    return value


def clean_text(value: str, field: str) -> str:
    """`value`, if it can be stored, shown and put in a calendar; Invalid naming `field` otherwise."""
    if _UNPRINTABLE.search(value):
        raise Invalid.field(field, "remove control characters and unpaired surrogates")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid.field(twice[:100], "give each field once")
    return found


def _refuse_constant(text: str) -> Any:
    raise BadJson(detail=f"{text} is not JSON", remedy="send a finite number")


def _integer(text: str) -> int | float:
    """Digits without end are not read at all: they become infinite, which the check below refuses by name."""
    return int(text) if len(text) <= LONGEST_NUMBER else math.inf


def _check(value: Any, field: str, deeper: int) -> None:
    """Raises Invalid naming the first field that holds what cannot be kept."""
    if deeper < 0:
        raise Invalid.field(field[:100], f"nest at most {DEEPEST} levels")
    if isinstance(value, str):
        clean_text(value, field or "body")
    elif isinstance(value, int | float):
        if not -LARGEST <= value <= LARGEST:
            raise Invalid.field(field or "body", f"keep numbers within ±{LARGEST}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            clean_text(name, field or "body")
            _check(inner, f"{field}.{name}" if field else name, deeper - 1)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _check(inner, f"{field}.{position}", deeper - 1)
