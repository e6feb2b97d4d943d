"""What an endpoint accepts: a table of names and kinds, checked before any work begins.

Kinds: "text", "int", "bool", "hash", "list", "metadata", "any"; with "!" where it must be given; a tuple of the values
allowed; or a table for a hash with names of its own. A name that no table has is refused, as the documentation says.
"""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe.errors import invalid

Spec = dict[str, Any]
MOST_KEYS, LONGEST_KEY, LONGEST_VALUE = 50, 40, 500
LISTING: Spec = {"limit": "int", "starting_after": "text", "ending_before": "text", "created": "any"}


def checked(spec: Spec, given: dict[str, Any], *, inside: str = "") -> dict[str, Any]:
    """The parameters in their own types; raises a Refusal that names the parameter."""
    spec = spec if inside else {**spec, "expand": "list"}
    result: dict[str, Any] = {}
    for name, value in given.items():
        shown = f"{inside}[{name}]" if inside else name
        if name not in spec:
            raise invalid(f"Received unknown parameter: {shown}", param=shown, code="parameter_unknown")
        result[name] = _value(spec[name], value, shown)
    for name, kind in spec.items():
        if isinstance(kind, str) and kind.endswith("!") and name not in result:
            shown = f"{inside}[{name}]" if inside else name
            raise invalid(f"Missing required param: {shown}.", param=shown, code="parameter_missing")
    return result


def _value(kind: Any, value: Any, shown: str) -> Any:
    if isinstance(kind, dict):
        return {} if value == "" else checked(kind, _hash(value, shown), inside=shown)
    if isinstance(kind, tuple):
        if value not in kind:
            raise invalid(f"Invalid {shown}: must be one of {', '.join(kind)}", param=shown)
        return value
    return KINDS[kind.rstrip("!")](value, shown)


def _text(value: Any, shown: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {value}", param=shown)
    if value == "":
        message = f"You passed an empty string for '{shown}'. '{shown}' cannot be unset."
        raise invalid(message, param=shown, code="parameter_invalid_empty")
    return value


def _int(value: Any, shown: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid(f"Invalid integer: {value}", param=shown, code="parameter_invalid_integer") from None


def _bool(value: Any, shown: str) -> bool:
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", param=shown)
    return value == "true"


def _hash(value: Any, shown: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=shown)
    return value


def _list(value: Any, shown: str) -> list[Any]:
    if value == "":
        return []
    if not isinstance(value, list):
        raise invalid("Invalid array", param=shown)
    return value


def _metadata(value: Any, shown: str) -> dict[str, str]:
    """Names of at most 40 characters and values of at most 500; "" asks for all to be forgotten."""
    if value == "":
        return {"": ""}
    pairs = _hash(value, shown)
    for name, text in pairs.items():
        if len(name) > LONGEST_KEY:
            raise invalid(f"Metadata keys must be at most {LONGEST_KEY} characters long.", param=f"{shown}[{name}]")
        if not isinstance(text, str) or len(text) > LONGEST_VALUE:
            raise invalid(f"Metadata values must be at most {LONGEST_VALUE} characters.", param=f"{shown}[{name}]")
    if len(pairs) > MOST_KEYS:
        raise invalid(f"Metadata can have at most {MOST_KEYS} keys.", param=shown)
    return pairs


def merged(old: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: what is given replaces, an empty value forgets, the rest stays."""
    if new == {"": ""}:
        return {}
    return {name: text for name, text in {**old, **(new or {})}.items() if text != ""}


KINDS = {
    "text": _text,
    "int": _int,
    "bool": _bool,
    "hash": _hash,
    "list": _list,
    "metadata": _metadata,
    "any": lambda value, shown: value,
}
