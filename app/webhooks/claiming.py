"""Which deliveries a sender takes next: each receiver in its turn, a few at a time, whatever another has waiting.

A claim holds until `claimed_until`; a sender that dies lets it run out, and the delivery is due again under the same
message id. While a delivery is claimed, `next_attempt_at` is the end of the claim: due is due, for one index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.db import raw

LEASE = timedelta(seconds=20)  # twice as long as a call may take

# Receivers with something due. One probe of the index for each that has something waiting, however much that is.
_DUE = raw("""
    WITH RECURSIVE waiting AS (
        (SELECT webhook_id, next_attempt_at FROM webhook_delivery
         WHERE state IN ('pending', 'failed', 'sending') ORDER BY webhook_id, next_attempt_at LIMIT 1)
        UNION ALL
        SELECT later.webhook_id, later.next_attempt_at FROM waiting CROSS JOIN LATERAL (
            SELECT d.webhook_id, d.next_attempt_at FROM webhook_delivery d
            WHERE d.state IN ('pending', 'failed', 'sending') AND d.webhook_id > waiting.webhook_id
            ORDER BY d.webhook_id, d.next_attempt_at LIMIT 1) later
    )
    SELECT w.id, w.failing_since IS NOT NULL AS is_failing FROM waiting JOIN webhook w ON w.id = waiting.webhook_id
    WHERE waiting.next_attempt_at <= :now AND w.state = 'active' AND w.archived_at IS NULL
    ORDER BY w.id
""")
# One sender at a time claims for a receiver, so that the claims of the others are there to be counted. Nobody waits.
_LOCK = raw("""
    SELECT w.id, w.url, ARRAY(
        SELECT s.secret FROM webhook_secret s
        WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > :now) ORDER BY s.id DESC) AS secrets
    FROM webhook w WHERE w.id = ANY(:ids) AND w.state = 'active' AND w.archived_at IS NULL
    ORDER BY w.id FOR NO KEY UPDATE OF w SKIP LOCKED
""")
# The ids go through an array: joined, the planner expects so many that it reads the whole table.
_CLAIM = raw("""
    WITH picked AS (
        SELECT waiting.id FROM unnest(CAST(:ids AS bigint[]), CAST(:most AS bigint[])) AS turn (webhook_id, most)
        CROSS JOIN LATERAL (
            SELECT d.id FROM webhook_delivery d
            WHERE d.webhook_id = turn.webhook_id AND d.state IN ('pending', 'failed', 'sending')
              AND d.next_attempt_at <= :now
            ORDER BY d.next_attempt_at
            LIMIT greatest(0, turn.most - (
                SELECT count(*) FROM webhook_delivery held
                WHERE held.webhook_id = turn.webhook_id AND held.state = 'sending'
                  AND held.next_attempt_at > :now AND held.next_attempt_at <= :until))
            FOR NO KEY UPDATE OF d SKIP LOCKED) waiting
    )
    UPDATE webhook_delivery d SET state = 'sending', claimed_until = :until, next_attempt_at = :until
    WHERE d.id = ANY(ARRAY(SELECT id FROM picked))
    RETURNING d.id, d.uid, d.webhook_id, d.body, d.attempts, d.spent
""")


@dataclass(frozen=True, slots=True)
class Due:
    """A receiver for whom something is due; one that is failing gets one message at a time."""

    webhook_id: int
    is_failing: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed delivery with all it takes to send it. `attempt` is its number in this round of the schedule, from 1;
    `number` counts all there were."""

    delivery_id: int
    webhook_id: int
    message_id: str
    url: str
    secrets: tuple[str, ...]
    body: str
    attempt: int
    number: int
    claimed_until: datetime


def due_receivers(session: Session, *, now: datetime) -> list[Due]:
    """Active receivers with something due, by their id."""
    return [Due(row.id, row.is_failing) for row in session.execute(_DUE, {"now": now})]


def claim(session: Session, most: Mapping[int, int], *, now: datetime) -> list[Message]:
    """Claim what is due longest, so that no receiver has more than `most[webhook_id]` in flight in the installation.

    Receivers that somebody else holds at this moment are left out. Commit before anything is sent.
    """
    if not most:
        return []
    receivers = {row.id: row for row in session.execute(_LOCK, {"ids": list(most), "now": now})}
    if not receivers:
        return []
    until = now + LEASE
    given = {"ids": list(receivers), "most": [most[each] for each in receivers], "now": now, "until": until}
    return [
        Message(
            delivery_id=row.id,
            webhook_id=row.webhook_id,
            message_id=f"msg_{row.uid}",
            url=receivers[row.webhook_id].url,
            secrets=tuple(receivers[row.webhook_id].secrets),
            body=row.body,
            attempt=row.attempts - row.spent + 1,
            number=row.attempts + 1,
            claimed_until=until,
        )
        for row in session.execute(_CLAIM, given)
    ]
