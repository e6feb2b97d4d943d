"""How far effects are behind facts: the age of the oldest event that some consumer has no receipt of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

EVERY_S = 0.1
AWAY = 1e9  # nobody could say: the database did not answer

# Settled events have every receipt, or one that waits; both are few, and have an index.
_LAG = """
    SELECT extract(epoch FROM clock_timestamp() - least(
        (SELECT min(o.recorded_at) FROM outbox o WHERE o.settled_at IS NULL AND EXISTS (
            SELECT FROM subscription s WHERE s.aggregate_type = o.aggregate_type AND NOT EXISTS (
                SELECT FROM delivery d WHERE d.consumer = s.consumer AND d.event_id = o.event_id))),
        (SELECT min(o.recorded_at) FROM delivery d JOIN outbox o USING (event_id)
         WHERE d.state IN ('parked', 'failed', 'dead'))
    ))::float
"""


class Watch:
    """Looks every EVERY_S in a thread of its own; `samples` are (monotonic time, lag in seconds)."""

    def __init__(self, connect: Callable[..., psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._stop = threading.Event()
        self.samples: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def last_late(self, since: float) -> float:
        """When the lag was last not under a second, looking back as far as `since`; `since` if it never was."""
        before = time.monotonic()
        for at, lag in reversed(self.samples):
            if at < since:
                break
            if lag >= 1:
                return min(at + EVERY_S, before)
            if before - at > 1:  # nobody could look
                return before
            before = at
        return since

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._connect(connect_timeout=2) as connection:
                    connection.execute("SET statement_timeout = '5s'")
                    while not self._stop.wait(EVERY_S):
                        row = connection.execute(_LAG).fetchone()
                        self.samples.append((time.monotonic(), row[0] or 0.0 if row else 0.0))
            except psycopg.Error:
                self.samples.append((time.monotonic(), AWAY))
                self._stop.wait(EVERY_S)
