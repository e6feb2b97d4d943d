"""The relay takes recorded events from the outbox to the bus, and notes which of them the bus has confirmed.

At least once: an event whose confirmation was not heard goes out again, and the receipts absorb the second copy. Rows
are found by "not yet published", never by "id above the last": an id is drawn before its transaction commits.
"""

from __future__ import annotations

import threading
import time

import structlog
from sqlalchemy import Connection, Engine

from app.bus import Message, NotConfirmed, Publisher
from app.db import raw
from workers.leader import lead

log = structlog.get_logger(__name__)

BATCH = 200
BUSY_S = 0.01
IDLE_S = 0.25
STAYS_ALERT_S = 2.0  # how long after the last event the relay still looks every BUSY_S
MAX_PAUSE_S = 2.0

_UNPUBLISHED = raw(f"""
    SELECT id, event_id, type, envelope FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT {BATCH}
""")
_PUBLISHED = raw("""
    UPDATE outbox SET published_at = clock_timestamp(), publish_count = publish_count + 1 WHERE id = ANY(:ids)
""")


class Relay:
    """One leader relays at a time; its lock and its statements share a connection, so that it cannot outlive either."""

    def __init__(self, engine: Engine, publisher: Publisher) -> None:
        self._engine = engine
        self._publisher = publisher
        self._rest = IDLE_S
        self._last_event = 0.0
        self._pause = 0.0

    def run(self, stop: threading.Event) -> None:
        try:
            lead(self._engine, "relay", stop, self.turn)
        finally:
            self._publisher.close()

    def turn(self, connection: Connection) -> float:
        """Publish one batch; returns how long to rest before the next, in seconds."""
        try:
            count = self.pump(connection)
        except NotConfirmed as error:
            self._pause = min(max(self._pause * 2, 0.05), MAX_PAUSE_S)
            log.warning("not_published", error=str(error)[:300], pause_s=self._pause)
            return self._pause
        self._pause = 0.0
        return 0.0 if count == BATCH else self._rest_after(count)

    def pump(self, connection: Connection) -> int:
        """Publish up to BATCH events and mark them; returns how many. Raises NotConfirmed, with none of them marked."""
        rows = connection.execute(_UNPUBLISHED).all()
        if not rows:
            self._publisher.keep_alive()
            return 0
        self._publisher.publish([Message(str(row.event_id), row.type, row.envelope) for row in rows])
        connection.execute(_PUBLISHED, {"ids": [row.id for row in rows]})
        return len(rows)

    def _rest_after(self, count: int) -> float:
        now = time.monotonic()
        if count:
            self._last_event = now
        alert = now - self._last_event < STAYS_ALERT_S
        self._rest = BUSY_S if alert else min(self._rest * 1.5, IDLE_S)
        return self._rest
