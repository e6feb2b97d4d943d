"""Form-encoded parameters with brackets, to and from nested values: `a[b]=1&c[]=2&d[0][e]=3`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.stripe.errors import invalid

_PART = re.compile(r"\[([^\[\]]*)\]")


def parse(text: str) -> dict[str, Any]:
    """The nested parameters in `text`; values stay strings, and lists are lists.

    Raises a Refusal for brackets that do not close, or a name used both as a value and as a hash.
    """
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _put(tree, _path(name), value, name)
    return {name: _lists(value) for name, value in tree.items()}


def _path(name: str) -> list[str]:
    head, bracket, _ = name.partition("[")
    rest = name[len(head) :]
    parts = _PART.findall(rest)
    if not head or (bracket and "".join(f"[{part}]" for part in parts) != rest):
        raise invalid(f"Invalid request: the parameter name {name!r} is malformed.", param=name)
    return [head, *parts]


def _put(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    for part in path[:-1]:
        part = part or str(len(tree))
        below = tree.setdefault(part, {})
        if not isinstance(below, dict):
            raise invalid(f"Invalid request: {name!r} is both a value and a hash.", param=name)
        tree = below
    last = path[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise invalid(f"Invalid request: {name!r} is both a value and a hash.", param=name)
    tree[last] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _lists(part) for name, part in value.items()}
