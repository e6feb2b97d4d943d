"""The catalogue of events as a page shows it: what happened, each field, who tells it and who listens, an example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from app.events import describing, readers
from app.events.asyncapi import EXCHANGE, VERSION
from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.describing import Field


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in one version. `consumers` are their names and what each does with it."""

    anchor: str
    type: str
    version: int
    says: str
    aggregate: str
    publisher: str
    fields: list[Field]
    consumers: Mapping[str, str]
    example: str


@dataclass(frozen=True, slots=True)
class Page:
    version: str
    exchange: str
    groups: dict[str, list[Entry]]  # by the kind of aggregate


def page() -> Page:
    groups: dict[str, list[Entry]] = {}
    for name in sorted({name for name, _ in CATALOGUE}):
        for fact in describing.find(name):
            groups.setdefault(fact.aggregate_type.replace("_", " "), []).append(_entry(fact))
    return Page(VERSION, EXCHANGE, dict(sorted(groups.items())))


def _entry(fact: type[DomainEvent]) -> Entry:
    return Entry(
        anchor=describing.channel_id(fact),
        type=fact.type,
        version=fact.version,
        says=describing.says(fact),
        aggregate=fact.aggregate_type,
        publisher=f"app.{fact.publisher}",
        fields=describing.fields(fact),
        consumers=readers.shipped().get(fact.type, {}),
        example=json.dumps(describing.example(fact), indent=2, ensure_ascii=False),
    )
