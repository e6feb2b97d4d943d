"""Every handler is loaded, and none waits for an event that never comes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.events.catalogue import CATALOGUE
from app.timekeeper import HANDLERS
from workers import registry
from workers.registry import Consumer

ROOT = Path(__file__).parents[2]


def modules_with(begins: str, folder: str) -> set[str]:
    """Those with a line that begins so."""
    files = [path for path in (ROOT / folder).rglob("*.py") if re.search(rf"^{begins}", path.read_text(), re.MULTILINE)]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}


def test_every_file_that_declares_what_becomes_due_is_loaded() -> None:
    assert modules_with(r"@due\(", "app") == set(registry.DUE_MODULES)
    registry.load()
    assert "housekeeping" in HANDLERS


def test_every_worker_is_loaded() -> None:
    assert modules_with(r"[A-Z]+ = register\(", "workers") == set(registry.MODULES)
    assert "calendar" in registry.load()


def test_a_misspelt_or_foreign_event_is_refused() -> None:
    for event_type in ("booking.maed", "space.closed"):
        with pytest.raises(ValueError, match=event_type):
            Consumer("someone", ("booking",), {event_type: print})


def test_two_consumers_cannot_share_a_name() -> None:
    registry.load()
    with pytest.raises(ValueError, match="calendar"):
        registry.register(Consumer("calendar", ("booking",), {}))


def test_a_queue_is_bound_to_every_type_of_its_aggregates() -> None:
    types = {name for (name, _), fact in CATALOGUE.items() if fact.aggregate_type == "booking"}
    assert set(Consumer("someone", ("booking",), {}).event_types) == types
