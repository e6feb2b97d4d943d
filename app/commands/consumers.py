"""Names of consumers and events as people type them."""

from __future__ import annotations

from typing import Any

import click


def check_consumer(name: str | None) -> None:
    """Asked when nothing was found: a misspelt name must not look like "there is nothing". Raises BadParameter."""
    from workers import registry

    if name is not None and name not in (known := registry.load()):
        raise click.BadParameter(f"{name} is none of {', '.join(sorted(known))}", param_hint="--consumer")


def one_of_the_events(_context: Any, _option: Any, name: str | None) -> str | None:
    from app.events.catalogue import CATALOGUE

    if name is not None and name not in (known := {event_type for event_type, _ in CATALOGUE}):
        raise click.BadParameter(f"{name} is none of {', '.join(sorted(known))}")
    return name
