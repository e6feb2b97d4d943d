"""The reconciler compares what was recorded with what was received, and has the relay send again what got lost.

An event is settled once every consumer subscribed to its kind of aggregate has it in hand: done or skipped, or failed
or dead, whose text is kept with the receipt. An event is lost when a consumer has no trace of it, it went out longer
ago than a grace time, nothing waits in that consumer's queue, and nothing has been received for that time either: until
then the consumer is late, with messages in the queue or in hand, and sending everything again would make it later. But
a queue gives out in order: what went out a grace time before another that has been received is not in it any more.
Beyond a long grace time neither is believed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, raw, transaction
from app.events.retention import hold_subscriptions
from app.pulse import beat
from app.tenancy import SYSTEM
from workers.leader import lead
from workers.registry import Consumer

log = structlog.get_logger(__name__)

BATCH = 1000
EVERY_S = 1.0
IDLE_SHARE = 4  # rest at least this many times as long as the last sweep took
GRACE_S = 5.0
LONG_GRACE_S = 600.0
MAX_DOUBLINGS = 7  # each further sending of the same event waits twice as long: up to about ten minutes

# What is missing: an outbox row, a consumer that should have it, and no trace that it does.
_MISSING = """
    FROM subscription s
    WHERE s.consumer = ANY(:consumers) AND s.aggregate_type = o.aggregate_type
      AND (s.after IS NULL OR o.recorded_at > s.after)
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.consumer = s.consumer AND d.event_id = o.event_id {received})
"""
_SETTLE = raw(f"""
    WITH batch AS MATERIALIZED (
        SELECT id, event_id, aggregate_type, recorded_at FROM outbox
        WHERE settled_at IS NULL AND published_at IS NOT NULL AND id > :after ORDER BY id LIMIT :batch
    ), settled AS (
        UPDATE outbox SET settled_at = clock_timestamp() WHERE id IN (
            SELECT o.id FROM batch o WHERE NOT EXISTS (SELECT {_MISSING.format(received="AND d.state <> 'parked'")})
        ) RETURNING id
    )
    SELECT (SELECT max(id) FROM batch) AS last_id, (SELECT count(*) FROM batch) AS seen,
           (SELECT count(*) FROM settled) AS settled
""")
_OVERDUE = """
    o.settled_at IS NULL AND o.published_at < coalesce(CAST(:seen_to AS timestamptz), clock_timestamp())
        - make_interval(secs => CAST(:grace AS float8) * power(2, least(o.publish_count - 1, :doublings)))
"""
_WHO_MISSES = raw(f"""
    SELECT consumer FROM unnest(CAST(:consumers AS text[])) AS c (consumer) WHERE EXISTS (
        SELECT FROM outbox o WHERE {_OVERDUE} AND EXISTS (
            SELECT {_MISSING.format(received="")} AND s.consumer = c.consumer
        )
    )
""")
# Of the newest that a consumer has received: the last to go out, which is where its queue has come to; and whether one
# of them was received within the grace time.
_PLACE = raw("""
    SELECT max(o.published_at) AS seen_to,
           coalesce(max(d.at) > clock_timestamp() - make_interval(secs => CAST(:grace AS float8)), false) AS moves
    FROM (
        SELECT event_id, published_at FROM outbox WHERE published_at IS NOT NULL ORDER BY id DESC LIMIT :batch
    ) o JOIN delivery d ON d.consumer = :consumer AND d.event_id = o.event_id
""")
_PUBLISH_AGAIN = raw(f"""
    UPDATE outbox SET published_at = NULL WHERE id IN (
        SELECT o.id FROM outbox o WHERE {_OVERDUE} AND EXISTS (SELECT {_MISSING.format(received="")})
        ORDER BY o.id LIMIT :batch
    )
""")


class Reconciler:
    """Settles and sends again, under one leader. `depths` tells how much waits in each consumer's queue."""

    def __init__(
        self,
        engine: Engine,
        make_session: sessionmaker[TenantSession],
        consumers: Iterable[Consumer],
        depths: Callable[[Iterable[Consumer]], dict[str, int]],
        *,
        grace_s: float = GRACE_S,
    ) -> None:
        self._engine = engine
        self._make_session = make_session
        self._consumers = {consumer.name: consumer for consumer in consumers}
        self._depths = depths
        self._grace_s = grace_s
        self._started = False

    def run(self, stop: threading.Event) -> None:
        lead(self._engine, "reconciler", stop, self.turn)

    def turn(self, connection: Connection) -> float:
        """Settle what can be, send again what was lost; returns how long to rest, in seconds."""
        begun = time.monotonic()
        connection.execute(raw("SELECT 1"))  # still leader?
        self.settle()
        # At the start there is no grace: an embedded bus that has just begun holds nothing of what was sent before.
        grace_s = self._grace_s if self._started else 0.0
        self._started = self.send_again(grace_s=grace_s)
        return max(EVERY_S, IDLE_SHARE * (time.monotonic() - begun))

    def settle(self) -> int:
        """Mark what every consumer has received; returns how many events that were."""
        settled, after = 0, 0
        while True:
            beat()
            with transaction(self._make_session, SYSTEM) as session:
                hold_subscriptions(session)
                row = session.execute(_SETTLE, self._facts() | {"after": after}).mappings().one()
            settled += row["settled"]
            if row["seen"] < BATCH:
                return settled
            after = row["last_id"]

    def send_again(self, *, grace_s: float) -> bool:
        """Have lost events published again. Returns whether the bus could be asked what it still holds."""
        with transaction(self._make_session, SYSTEM) as session:
            missing = session.scalars(_WHO_MISSES, self._facts() | {"grace": grace_s, "seen_to": None}).all()
        if not missing:
            return True
        try:
            depths = self._depths([self._consumers[name] for name in missing])
        except Exception as error:
            # Whatever kept the bus from answering, the relay meets it too and says so; this can wait for the next turn.
            log.warning("bus_not_asked", error=f"{type(error).__name__}: {error}"[:300])
            return False
        count = sum(self._send_lost(name, waiting=depths[name], grace_s=grace_s) for name in missing)
        if count:
            log.warning("events_sent_again", count=count, consumers=missing)
        return True

    def _send_lost(self, name: str, *, waiting: int, grace_s: float) -> int:
        with transaction(self._make_session, SYSTEM) as session:
            place = session.execute(_PLACE, {"consumer": name, "batch": BATCH, "grace": grace_s}).one()
            if not waiting and not place.moves:
                return self._publish_again(session, name, grace_s)
            count = self._publish_again(session, name, LONG_GRACE_S)
            if place.seen_to is not None:
                count += self._publish_again(session, name, max(grace_s, self._grace_s), seen_to=place.seen_to)
            return count

    def _publish_again(self, session: Session, name: str, grace_s: float, *, seen_to: datetime | None = None) -> int:
        facts = self._facts() | {"consumers": [name], "grace": grace_s, "seen_to": seen_to}
        return session.execute(_PUBLISH_AGAIN, facts).rowcount  # type: ignore[attr-defined]

    def _facts(self) -> dict[str, Any]:
        return {"consumers": list(self._consumers), "batch": BATCH, "doublings": MAX_DOUBLINGS}
