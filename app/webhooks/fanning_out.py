"""From one event to a delivery per receiver that wants it and may know it, in one statement."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.db import Statement
from app.events.envelope import Envelope
from app.webhooks.event_types import for_network, patterns_of
from app.webhooks.messages import body_of

# Whose the space is, is read from the space, never from the message. The message id is a UUIDv7 with the instant of the
# event's. A receiver hears of what happened since it was entered; while it is disabled nothing is kept for it.
_FAN_OUT = Statement(
    """
    INSERT INTO webhook_delivery (uid, webhook_id, event_id, event_type, body, next_attempt_at, created_at)
    SELECT CAST(overlay(CAST(gen_random_uuid() AS text) PLACING CAST(:stamp AS text) FROM 1) AS uuid),
           w.id, :event_id, :event_type,
           CASE WHEN w.operator_id IS NULL THEN CAST(:for_network AS text) ELSE CAST(:for_operator AS text) END,
           :now, :now
    FROM space s
    JOIN webhook w ON w.operator_id = s.operator_id
                   OR (w.network_id = s.network_id AND CAST(:for_network AS text) IS NOT NULL)
    WHERE s.uid = :space_uid AND w.state = 'active' AND w.archived_at IS NULL
      AND w.event_types && CAST(:patterns AS text[]) AND w.created_at <= :occurred_at
    ON CONFLICT (webhook_id, event_id) DO NOTHING
    """
)
STAMP = 15  # characters of a UUIDv7's text that hold its instant and version


def fan_out(session: Session, event: Envelope, *, now: datetime) -> int:
    """Write a delivery for each receiver of the operator that runs the event's space, and of the network that holds it.

    An operator is told everything the event says, a network what `event_types` lets it know. Returns how many were
    written; an event that was fanned out before writes none.
    """
    less = for_network(event.type, event.data)
    written = _FAN_OUT.run(
        session,
        {
            "stamp": str(event.event_id)[:STAMP],
            "event_id": event.event_id,
            "event_type": event.type,
            "for_operator": body_of(event, event.data),
            "for_network": None if less is None else body_of(event, less),
            "space_uid": event.data["space_id"],
            "patterns": patterns_of(event.type),
            "occurred_at": event.occurred_at,
            "now": now,
        },
    )
    return written.rowcount
