"""Search of payment intents: a query on fields and metadata, over an index that is behind by the documented delay."""

from __future__ import annotations

import copy
import re
from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import invalid
from tests.fakes.stripe.pages import how_many
from tests.fakes.stripe.store import Thing

_CLAUSE = re.compile(
    r"""\s*(?P<minus>-?)(?P<field>[a-z_]+)(?:\[(?P<mark>["'])(?P<name>.*?)(?P=mark)\])?"""
    r"""\s*(?P<how>:|~|>=|<=|>|<)\s*(?:(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)|(?P<bare>-?\w+))\s*"""
)
NUMBERS = ("amount", "created")
WORDS = ("status", "currency", "customer", "metadata")


def touch(call: Call, intent: Thing) -> None:
    """Let the index learn of the intent as it is now, after the delay."""
    waiting = call.fake.store.hidden.setdefault(f"index/{call.account}", {"waiting": [], "known": {}})
    due = call.fake.clock.now() + call.fake.settings.search_delay
    waiting["waiting"].append([due, copy.deepcopy(intent)])


def answer(call: Call) -> dict[str, Any]:
    """One page of what the index finds, newest first, with the objects as they are now."""
    asked = parse(call.params["query"])
    found = [call.get("payment_intent", key) for key, seen in _index(call).items() if _wanted(asked, seen)]
    found.sort(key=lambda intent: intent["created"], reverse=True)
    start = _start(call.params.get("page"))
    some = found[start : start + how_many(call)]
    more = start + len(some) < len(found)
    rest = {"has_more": more, "next_page": str(start + len(some)) if more else None}
    return {"object": "search_result", "url": "/v1/payment_intents/search", "data": some, **rest}


def parse(query: str) -> tuple[str, list[dict[str, str]]]:
    """ "AND" or "OR", and the clauses; raises a Refusal for a query that the language does not have."""
    clauses, joins, at = [], set(), 0
    while True:
        match = _CLAUSE.match(query, at)
        if match is None:
            raise invalid(f"We were unable to parse your search query: {query}", param="query")
        clauses.append(_clause(match))
        at = match.end()
        if at == len(query):
            break
        word = re.compile(r"(AND|OR)\b|", re.IGNORECASE).match(query, at)
        joins.add((word.group(1) or "AND").upper() if word else "AND")
        at = word.end() if word else at
    if len(joins) > 1:
        raise invalid("You cannot combine AND and OR in a search query.", param="query")
    return (joins or {"AND"}).pop(), clauses


def _clause(match: re.Match[str]) -> dict[str, str]:
    field, how = match["field"], match["how"]
    if field not in NUMBERS + WORDS or (field == "metadata") != (match["name"] is not None):
        raise invalid(f"Field `{field}` is an unsupported search field for resource `payment_intents`.", param="query")
    if (how in (">", "<", ">=", "<=") and field not in NUMBERS) or (how == "~" and field != "metadata"):
        raise invalid(f"Operator {how} is not supported for field `{field}`.", param="query")
    text = match["text"] if match["quote"] else match["bare"]
    value = re.sub(r"\\(.)", r"\1", text)
    absent = "" if match["quote"] else value
    return {
        "not": match["minus"],
        "field": field,
        "name": match["name"] or "",
        "how": how,
        "value": value,
        "null": absent,
    }


def _index(call: Call) -> dict[str, Thing]:
    index = call.fake.store.hidden.setdefault(f"index/{call.account}", {"waiting": [], "known": {}})
    now = call.fake.clock.now()
    for due, seen in index["waiting"]:
        if due <= now:
            index["known"][seen["id"]] = seen
    index["waiting"] = [entry for entry in index["waiting"] if entry[0] > now]
    return index["known"]


def _wanted(asked: tuple[str, list[dict[str, str]]], intent: Thing) -> bool:
    join, clauses = asked
    judged = (_holds(clause, intent) != bool(clause["not"]) for clause in clauses)
    return all(judged) if join == "AND" else any(judged)


def _holds(clause: dict[str, str], intent: Thing) -> bool:
    field, how, value = clause["field"], clause["how"], clause["value"]
    if field in NUMBERS:
        have, asked = intent[field], int(value)
        return {":": have == asked, ">": have > asked, "<": have < asked, ">=": have >= asked, "<=": have <= asked}[how]
    have = intent["metadata"].get(clause["name"]) if field == "metadata" else intent[field]
    if clause["null"] == "null":
        return have is None
    if how == "~":
        return have is not None and value.lower() in have.lower()
    return have is not None and have.lower() == value.lower()


def _start(page: str | None) -> int:
    if page is not None and not page.isdigit():
        raise invalid("Invalid page.", param="page")
    return int(page or 0)
