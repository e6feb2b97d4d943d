"""Who consumes which event: computed from the registry of consumers, never typed.

The core does not know the workers. `python -m tests.events.golden` asks their registry and writes FILE, which the page
and the AsyncAPI document show; a test fails when it no longer says what the registry says.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

FILE = Path(__file__).with_name("readers.json")

Readers = Mapping[str, Mapping[str, str]]  # by event type: what each consumer does with it, by its name


class Reader(Protocol):
    """What is asked of a consumer (workers.registry.Consumer is one)."""

    @property
    def name(self) -> str: ...
    @property
    def handlers(self) -> Mapping[str, Callable[..., Any]]: ...


def readers_of(consumers: Iterable[Reader]) -> Readers:
    """What each consumer does with each event: the first sentence of its handler's docstring."""
    found: dict[str, dict[str, str]] = {}
    for consumer in sorted(consumers, key=lambda each: each.name):
        for event_type, handler in sorted(consumer.handlers.items()):
            found.setdefault(event_type, {})[consumer.name] = _first_sentence(handler)
    return found


def _first_sentence(handler: Callable[..., Any]) -> str:
    told = " ".join((inspect.getdoc(handler) or "").split("\n\n")[0].split())
    return told.partition(". ")[0].rstrip(".") + "." if told else ""


def written(consumers: Iterable[Reader]) -> str:
    """The content of FILE."""
    return json.dumps(readers_of(consumers), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@cache
def shipped() -> Readers:
    """As they were when this version of the product was made."""
    readers: Readers = json.loads(FILE.read_text())
    return readers
