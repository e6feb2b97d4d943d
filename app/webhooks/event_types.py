"""What can be subscribed to, and how much of it whom is told.

Pure: tables over the catalogue. An event is told outside when it names a space, which says whose it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from app.errors import Invalid
from app.events.catalogue import CATALOGUE, DomainEvent

ALL = "*"
MOST = 50  # entries of one subscription
TEST = "webhook.test"  # the ping that a person asks for; no event of the catalogue

# What a network's coordinators may know of what happens in its spaces: what, where and when, for counting how full they
# are. Not who (they hold no `see_bookings`), nor for how much (no `see_prices`), nor what ties bookings of one person
# together. A list of what is told, so that a new event or field is told to nobody until somebody decided that here.
TOLD_TO_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "booking.made": ("booking_id", "space_id", "resource_id", "status", "start", "end"),
    "booking.moved": (
        "booking_id", "space_id", "resource_id", "status", "start", "end",
        "previous_resource_id", "previous_start", "previous_end",
    ),
    "booking.cancelled": ("booking_id", "space_id", "resource_id", "reason"),
    "booking.approved": ("booking_id", "space_id"),
    "booking.refused": ("booking_id", "space_id", "resource_id"),
    "booking.accepted": ("booking_id", "space_id", "status"),
    "booking.checked_in": ("booking_id", "space_id", "at"),
    "booking.completed": ("booking_id", "space_id"),
    "booking.no_show": ("booking_id", "space_id", "resource_id"),
    "space.closed": ("space_id", "closure_id", "kind", "start", "end"),
    "space.reopened": ("space_id", "closure_id"),
}  # fmt: skip


def told() -> dict[str, str]:
    """Every event type that can be subscribed to, with the kind of aggregate it is about."""
    return {fact.type: fact.aggregate_type for fact in CATALOGUE.values() if _names_a_space(fact)}


def _names_a_space(fact: type[DomainEvent]) -> bool:
    return any(field.name == "space_id" for field in dataclasses.fields(fact))  # type: ignore[arg-type]


def for_network(event_type: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a network is told of an event; None when it is not told of it at all."""
    names = TOLD_TO_NETWORKS.get(event_type)
    return None if names is None else {name: data[name] for name in names if name in data}


def patterns_of(event_type: str) -> list[str]:
    """Every entry of a subscription that an event type answers to."""
    return [event_type, f"{event_type.partition('.')[0]}.*", ALL]


def checked(wanted: list[str], *, by_network: bool) -> list[str]:
    """A subscription's entries, each once and in order.

    Raises Invalid naming `event_types` for an entry that no event would ever answer to.
    """
    types = [name for name in told() if not by_network or name in TOLD_TO_NETWORKS]
    possible = {pattern for name in types for pattern in patterns_of(name)}
    for entry in wanted:
        if entry not in possible:
            raise Invalid.field(
                "event_types", f"no such events here: {entry}; use one of {', '.join(sorted(possible))}"
            )
    return sorted(set(wanted))
