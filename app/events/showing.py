"""The catalogue as a person reads it on a terminal: passerelle events show."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.describing import Field, channel_id, data_schema, example, fields, find, says
from app.events.readers import Readers

WIDTH = 100
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def chosen(event_type: str | None) -> list[type[DomainEvent]]:
    """The versions of one type, newest first, or the whole catalogue. Raises NotFound."""
    if event_type is not None:
        return find(event_type)
    return [fact for name in sorted({name for name, _ in CATALOGUE}) for fact in find(name)]


def schema(event_type: str | None) -> dict[str, Any]:
    """The JSON schema of a type's `data` in its newest version; without a type, that of every version by its name."""
    if event_type is not None:
        return _titled(find(event_type)[0])
    return {channel_id(fact): _titled(fact) for fact in chosen(None)}


def _titled(fact: type[DomainEvent]) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": f"{fact.type}, version {fact.version}", **data_schema(fact)}


def pages(facts: Iterable[type[DomainEvent]], readers: Readers) -> str:
    """What there is to know of each, one after the other."""
    return "\n\n".join("\n".join(_page(fact, readers)) for fact in facts)


def _page(fact: type[DomainEvent], readers: Readers) -> Iterator[str]:
    yield f"{fact.type}, version {fact.version}"
    yield from _wrapped(says(fact), "  ")
    yield f"  About a {fact.aggregate_type.replace('_', ' ')}; published by app.{fact.publisher}."
    yield "  Data:"
    for each in fields(fact):
        yield from _field(each)
    yield "  Consumed by:"
    consumers = readers.get(fact.type, {})
    for consumer, does in consumers.items():
        yield from _wrapped(f"{consumer}: {does}", "    ", then="      ")
    if not consumers:
        yield "    nobody here"
    yield "  Example:"
    yield textwrap.indent(json.dumps(example(fact), indent=2, ensure_ascii=False), "    ")


def _field(each: Field) -> Iterator[str]:
    unit = f", {each.meaning.unit}" if each.meaning.unit else ""
    optional = "" if each.required else ", may be missing"
    yield f"    {each.name} ({each.kind}{unit}{optional})"
    yield from _wrapped(each.text, "      ")


def _wrapped(text: str, indent: str, *, then: str | None = None) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent if then is None else then)
