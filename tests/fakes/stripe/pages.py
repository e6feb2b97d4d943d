"""Lists: newest first, a page at a time by cursor, with the filters on `created`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import invalid, missing
from tests.fakes.stripe.store import Thing

USUAL, MOST = 10, 100
COMPARED: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda have, asked: have > asked,
    "gte": lambda have, asked: have >= asked,
    "lt": lambda have, asked: have < asked,
    "lte": lambda have, asked: have <= asked,
}


def page(call: Call, things: Iterable[Thing], url: str) -> dict[str, Any]:
    """One page of `things` (given oldest first), as the parameters of the call ask for it."""
    newest = [thing for thing in reversed(list(things)) if _created(call.params.get("created"), thing)]
    limit = how_many(call)
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after and before:
        raise invalid("You cannot use both ending_before and starting_after.", param="ending_before")
    if after:
        newest = newest[_at(newest, after, "starting_after") + 1 :]
    if before:
        ahead = newest[: _at(newest, before, "ending_before")]
        return _list(ahead[-limit:], len(ahead) > limit, url)
    return _list(newest[:limit], len(newest) > limit, url)


def how_many(call: Call) -> int:
    """The `limit`, 10 unless given; raises a Refusal outside 1 to 100."""
    limit = call.params.get("limit", USUAL)
    if not 1 <= limit <= MOST:
        raise invalid(f"Invalid integer: limit must be between 1 and {MOST}.", param="limit")
    return limit


def matching(things: Iterable[Thing], call: Call, *names: str) -> list[Thing]:
    """Those whose fields equal the parameters that are given among `names`."""
    asked = {name: call.params[name] for name in names if name in call.params}
    return [thing for thing in things if all(thing.get(name) == value for name, value in asked.items())]


def whole(things: list[Thing], url: str) -> dict[str, Any]:
    """A list inside another object: at most ten, newest first."""
    return {**_list(list(reversed(things))[:USUAL], len(things) > USUAL, url), "total_count": len(things)}


def _list(data: list[Thing], more: bool, url: str) -> dict[str, Any]:
    return {"object": "list", "data": data, "has_more": more, "url": url}


def _at(things: list[Thing], key: str, param: str) -> int:
    for index, thing in enumerate(things):
        if thing["id"] == key:
            return index
    raise missing("object", key, param=param, in_path=False)


def _created(asked: Any, thing: Thing) -> bool:
    if asked is None:
        return True
    ranges = asked if isinstance(asked, dict) else {"gte": asked, "lte": asked}
    try:
        return all(COMPARED[name](thing["created"], int(value)) for name, value in ranges.items())
    except (KeyError, ValueError, TypeError):
        raise invalid("Invalid created: a time or gt, gte, lt, lte with times.", param="created") from None
