"""The fake's own time, which may be moved forward, and what is to happen at a time of it."""

from __future__ import annotations

import heapq
import itertools
import time
from typing import Any


class Clock:
    """Real time and an offset in seconds, which only grows."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        """Move forward; raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.ahead += seconds


class Schedule:
    """What is due when: names of actions with their arguments, so that it can be written down."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str, dict[str, Any]]] = []
        self._numbers = itertools.count()

    def add(self, due: float, action: str, **arguments: Any) -> None:
        """Let `action` happen once `due` (seconds since 1970) is reached."""
        heapq.heappush(self._heap, (due, next(self._numbers), action, arguments))

    def take_due(self, now: float) -> tuple[str, dict[str, Any]] | None:
        """The next action that is due, or None."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, action, arguments = heapq.heappop(self._heap)
        return action, arguments

    def waiting(self) -> list[tuple[float, str, dict[str, Any]]]:
        """All that has not happened yet, earliest first."""
        return [(due, action, arguments) for due, _, action, arguments in sorted(self._heap, key=lambda x: x[:2])]
