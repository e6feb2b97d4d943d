"""What the catalogue says of an event, field by field: the source of the AsyncAPI document, the page and the command.

Examples are made of the fields' meanings. The tests keep each as a golden file, for ever.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.errors import NotFound
from app.events import envelope
from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.meanings import CODE, SHARED, SOME_ID, SOME_INSTANT, Meaning

_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "dict[str, Any]": {"type": "object"},
    "list[dict[str, Any]]": {"type": "array", "items": {"type": "object"}},
}
_FORMATS = {"RFC 3339 instant in UTC": "date-time"}
_SPOKEN = {
    "str": "text", "int": "integer", "bool": "true or false", "list[str]": "list of text", "dict[str, Any]": "object",
    "list[dict[str, Any]]": "list of objects",
}  # fmt: skip


class Unexplained(LookupError):
    """A field without a meaning, or with one that does not fit its type."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event's `data`, or of an object in it: then `name` is its path, `cover[].amount.currency`."""

    name: str
    kind: str
    required: bool
    meaning: Meaning

    @property
    def text(self) -> str:
        """The meaning as a sentence or two, codes included."""
        codes = self.meaning.codes
        return f"{self.meaning.text} One of: {', '.join(codes)}; others may come." if codes else self.meaning.text


def channel_id(fact: type[DomainEvent]) -> str:
    return f"{fact.type}.v{fact.version}"


def versions(event_type: str, catalogue: Mapping[tuple[str, int], type[DomainEvent]] = CATALOGUE) -> list[int]:
    """The versions of a type, oldest first."""
    return sorted(version for name, version in catalogue if name == event_type)


def find(event_type: str) -> list[type[DomainEvent]]:
    """All versions of a type, newest first. Raises NotFound with the types there are."""
    found = [CATALOGUE[event_type, version] for version in versions(event_type)]
    if not found:
        raise NotFound(event_type=event_type, known=sorted({name for name, _ in CATALOGUE}))
    return found[::-1]


def says(fact: type[DomainEvent]) -> str:
    """What happened, in words."""
    return inspect.cleandoc(fact.__doc__ or "").replace("\n", " ")


def meaning(fact: type[DomainEvent], name: str) -> Meaning:
    """Raises Unexplained."""
    found = fact.says.get(name) or SHARED.get(name)
    declared, _ = declared_type(fact, name)
    if found is None or found.type != declared:
        raise Unexplained(f"{channel_id(fact)}: {name}, a {declared}, needs a meaning of that type")
    return found


def declared_type(fact: type[DomainEvent], name: str) -> tuple[str, bool]:
    """A field's type without `| None`, and whether it may be null."""
    declared = next(str(each.type) for each in dataclasses.fields(fact) if each.name == name)  # type: ignore[arg-type]
    return declared.removesuffix(" | None"), declared.endswith(" | None")


def is_required(fact: type[DomainEvent], name: str) -> bool:
    """Whether the field is always there: it has no default."""
    (found,) = (each for each in dataclasses.fields(fact) if each.name == name)  # type: ignore[arg-type]
    return found.default is dataclasses.MISSING and found.default_factory is dataclasses.MISSING


def names(fact: type[DomainEvent]) -> list[str]:
    return [each.name for each in dataclasses.fields(fact)]  # type: ignore[arg-type]


def fields(fact: type[DomainEvent]) -> list[Field]:
    """Its fields in order, each followed by the parts of the objects in it."""
    found: list[Field] = []
    for name in names(fact):
        declared, nullable = declared_type(fact, name)
        means = meaning(fact, name)
        found.append(Field(name, _spoken(declared, nullable), is_required(fact, name), means))
        found += _parts(name, means)
    return found


def _parts(name: str, whole: Meaning) -> Iterator[Field]:
    prefix = f"{name}[]." if whole.type.startswith("list") else f"{name}."
    for part, means in whole.parts.items():
        yield Field(prefix + part, _spoken(means.type, nullable=False), not means.optional, means)
        yield from _parts(prefix + part, means)


def _spoken(declared: str, nullable: bool) -> str:
    return _SPOKEN[declared] + (" or null" if nullable else "")


def data_schema(fact: type[DomainEvent]) -> dict[str, Any]:
    """The JSON schema of an event's `data`. Codes are described, not enumerated: others may come."""
    return {
        "type": "object",
        "description": says(fact),
        "properties": {name: _field_schema(fact, name) for name in names(fact)},
        "required": [name for name in names(fact) if is_required(fact, name)],
    }


def _field_schema(fact: type[DomainEvent], name: str) -> dict[str, Any]:
    _, nullable = declared_type(fact, name)
    schema = _schema(meaning(fact, name))
    return {**schema, "type": [schema["type"], "null"]} if nullable else schema


def _schema(means: Meaning) -> dict[str, Any]:
    schema = json.loads(json.dumps(_SCHEMAS[means.type]))
    inner = schema.get("items", schema)
    if means.is_id:
        inner["format"] = "uuid"
    elif means.unit in _FORMATS:
        inner["format"] = _FORMATS[means.unit]
    if means.parts:
        inner["properties"] = {name: _schema(part) for name, part in means.parts.items()}
        inner["required"] = [name for name, part in means.parts.items() if not part.optional]
    described = Field("", "", required=True, meaning=means).text
    unit = "" if means.unit in ("", CODE) else f" Unit: {means.unit}."
    schema["description"] = described + unit
    if means.codes:
        inner["examples"] = list(means.codes)
    return schema


def example(fact: type[DomainEvent]) -> dict[str, Any]:
    """A whole event as it goes on the wire."""
    values: Any = {name: meaning(fact, name).example for name in names(fact)}
    text = envelope.write(
        fact(**values),
        event_id=UUID(SOME_ID),
        aggregate_id=UUID(SOME_ID),
        seq=1,
        at=datetime.fromisoformat(SOME_INSTANT),
        request_id="a-request",
    )
    event: dict[str, Any] = json.loads(text)
    return event
