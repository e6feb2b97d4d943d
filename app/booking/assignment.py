"""Which unit of a pool a booking gets: the member's last desk, else the one that leaves the fewest holes.

A hole is free time left unused beside the booking; long free stretches are worth keeping whole for others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Candidate(NamedTuple):
    """A free unit, and the minutes that stay free on each side of the booking, up to its neighbour or closing time."""

    unit_id: int
    free_before_minutes: int
    free_after_minutes: int


def prefer(candidates: Iterable[Candidate], *, last_unit_id: int | None = None) -> list[int]:
    """Unit ids, the best first: the last desk, then fewest holes, then least time in them, then the lowest id."""

    def rank(candidate: Candidate) -> tuple[bool, int, int, int]:
        unit_id, before, after = candidate
        return unit_id != last_unit_id, (before > 0) + (after > 0), before + after, unit_id

    return [candidate.unit_id for candidate in sorted(candidates, key=rank)]
