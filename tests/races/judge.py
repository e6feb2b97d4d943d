"""The naive judge of a race: lists and loops, no database, nothing of the product. Slow, and plainly right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any


@dataclass(frozen=True, slots=True)
class Stay:
    """One unit, one period, one booking."""

    booking: str
    unit: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """What a resource needs: one of its units, or all of them."""

    units: tuple[str, ...]
    takes: str = "any"


def overlap(one: Any, other: Any) -> bool:
    return bool(one.start < other.end and other.start < one.end)


def stays_of(booking: Mapping[str, Any]) -> list[Stay]:
    """The stays that a booking means to whoever reads the API's answer."""
    start, end = (datetime.fromisoformat(booking[name]) for name in ("start", "end"))
    return [Stay(booking["id"], unit["id"], start, end) for unit in booking["units"]]


def double_bookings(stays: Iterable[Stay]) -> list[tuple[Stay, Stay]]:
    """Every pair that has the same unit at the same time."""
    return [(one, other) for one, other in combinations(stays, 2) if one.unit == other.unit and overlap(one, other)]


def has_room(place: Place, start: datetime, end: datetime, stays: Sequence[Stay]) -> bool:
    """Whether a booking of `place` could be added to `stays`."""
    wished = Stay("", "", start, end)
    free = [not any(stay.unit == unit and overlap(stay, wished) for stay in stays) for unit in place.units]
    return any(free) if place.takes == "any" else all(free)
