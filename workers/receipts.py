"""What a consumer remembers in the database: how far it is in each aggregate, and what it did with each event.

Lock order: the cursor first, then the delivery row. Everything here runs in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import Statement
from app.events.envelope import Envelope

# After each failed attempt, how long until the next; after the last, the delivery is dead.
BACKOFF_S = (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)
CLAIM_S = 10  # a claimed attempt belongs to its process for so long; then another may take it
ON_ITS_WAY_S = 2.0
FOLLOWER_S = 5  # the same for an event whose predecessor was just handled


class Turn(StrEnum):
    """What is to be done with an event that has arrived."""

    NOW = "now"
    SEEN = "seen"  # handled before, or before this consumer's time
    EARLY = "early"  # an earlier one is missing
    HELD = "held"  # failed or dead, and its time has not come


@dataclass(frozen=True, slots=True)
class Place:
    """An event's turn, and whether others wait behind it."""

    turn: Turn
    followed: bool = False


# One statement locks the cursor, moves it when this event is the next, and writes the receipt. A cursor at any other
# position is locked too, but not moved (ON CONFLICT DO UPDATE locks before it looks at WHERE), and no row comes back.
TAKE = Statement("""
    WITH moved AS (
        INSERT INTO cursor AS c (consumer, aggregate_type, aggregate_id, last_seq)
        VALUES (:consumer, :aggregate_type, :aggregate_id, :first)
        ON CONFLICT (consumer, aggregate_type, aggregate_id)
            DO UPDATE SET last_seq = :seq WHERE c.last_seq = :seq - 1
        RETURNING last_seq, parked_to
    ), receipt AS (
        INSERT INTO delivery (consumer, event_id, aggregate_type, aggregate_id, seq, state)
        SELECT :consumer, :event_id, :aggregate_type, :aggregate_id, :seq, :state FROM moved WHERE last_seq = :seq
        ON CONFLICT DO NOTHING
        RETURNING event_id
    )
    SELECT last_seq = :seq AS is_next, parked_to > :seq AS followed, EXISTS (SELECT FROM receipt) AS is_new FROM moved
""")

# An event that failed lets those behind it go on (a consumer that does not block): the cursor moves past it.
_PASS = Statement("""
    INSERT INTO cursor AS c (consumer, aggregate_type, aggregate_id, last_seq)
    VALUES (:consumer, :aggregate_type, :aggregate_id, :first)
    ON CONFLICT (consumer, aggregate_type, aggregate_id)
        DO UPDATE SET last_seq = :seq WHERE c.last_seq = :seq - 1
    RETURNING last_seq = :seq AND parked_to > :seq AS followed
""")

# A consumer that starts `now` begins each aggregate after what was recorded before it subscribed.
_BEGIN_AFTER = Statement("""
    INSERT INTO cursor (consumer, aggregate_type, aggregate_id, last_seq)
    SELECT s.consumer, s.aggregate_type, CAST(:aggregate_id AS uuid),
           coalesce(max(o.seq) FILTER (WHERE o.recorded_at <= s.after), min(o.seq) - 1, 0)
    FROM subscription s
    LEFT JOIN outbox o ON o.aggregate_type = s.aggregate_type AND o.aggregate_id = :aggregate_id
    WHERE s.consumer = :consumer AND s.aggregate_type = :aggregate_type
      AND NOT EXISTS (
          SELECT FROM cursor
          WHERE consumer = :consumer AND aggregate_type = :aggregate_type AND aggregate_id = :aggregate_id
      )
    GROUP BY s.consumer, s.aggregate_type, s.after
    ON CONFLICT DO NOTHING
""")

_LAST_SEQ = Statement("""
    SELECT last_seq FROM cursor
    WHERE consumer = :consumer AND aggregate_type = :aggregate_type AND aggregate_id = :aggregate_id
""")

_STATE = Statement("SELECT state FROM delivery WHERE consumer = :consumer AND event_id = :event_id")

_RECEIVE_WAITING = Statement("""
    UPDATE delivery SET state = :state, envelope = NULL, next_attempt_at = NULL, at = clock_timestamp()
    WHERE consumer = :consumer AND event_id = :event_id
""")

_PARK = Statement("""
    WITH parked AS (
        INSERT INTO delivery (consumer, event_id, aggregate_type, aggregate_id, seq, state, envelope)
        VALUES (:consumer, :event_id, :aggregate_type, :aggregate_id, :seq, 'parked', :envelope)
        ON CONFLICT DO NOTHING
    )
    UPDATE cursor SET parked_to = greatest(parked_to, :seq)
    WHERE consumer = :consumer AND aggregate_type = :aggregate_type AND aggregate_id = :aggregate_id
""")

_CALL_FOLLOWER = Statement("""
    UPDATE delivery SET next_attempt_at = :until
    WHERE consumer = :consumer AND aggregate_type = :aggregate_type AND aggregate_id = :aggregate_id
      AND seq = :seq + 1 AND state = 'parked'
    RETURNING envelope
""")

_FAIL = Statement("""
    INSERT INTO delivery AS d (consumer, event_id, aggregate_type, aggregate_id, seq, state, attempts, last_error,
                               next_attempt_at, envelope)
    VALUES (:consumer, :event_id, :aggregate_type, :aggregate_id, :seq, 'failed', 1, :error,
            CAST(:now AS timestamptz) + make_interval(secs => (CAST(:backoff AS float8[]))[1]), :envelope)
    ON CONFLICT (consumer, event_id) DO UPDATE SET
        attempts = d.attempts + 1,
        last_error = excluded.last_error,
        state = CASE WHEN d.attempts + 1 > cardinality(CAST(:backoff AS float8[])) THEN 'dead' ELSE 'failed' END,
        next_attempt_at = CAST(:now AS timestamptz)
            + make_interval(secs => (CAST(:backoff AS float8[]))[d.attempts + 1]),
        envelope = excluded.envelope,
        at = clock_timestamp()
    WHERE d.state IN ('parked', 'failed', 'dead')
    RETURNING state, attempts, next_attempt_at
""")

_CLAIM = Statement("""
    UPDATE delivery SET next_attempt_at = :until
    WHERE (consumer, event_id) IN (
        SELECT consumer, event_id FROM delivery
        WHERE consumer = :consumer AND next_attempt_at <= :now AND state IN ('parked', 'failed')
        ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING envelope
""")

# Of the newest events alone: there may be a million that wait for somebody else.
_LACKS = Statement("""
    SELECT EXISTS (
        SELECT FROM (
            SELECT event_id, aggregate_type, recorded_at, published_at FROM outbox
            WHERE settled_at IS NULL AND published_at IS NOT NULL ORDER BY id DESC LIMIT 200
        ) o
        JOIN subscription s ON s.consumer = :consumer AND s.aggregate_type = o.aggregate_type
            AND (s.after IS NULL OR o.recorded_at > s.after)
        WHERE o.published_at < clock_timestamp() - make_interval(secs => :seconds)
          AND NOT EXISTS (SELECT FROM delivery d WHERE d.consumer = :consumer AND d.event_id = o.event_id)
    ) AS lacks
""")


def take(
    session: Session, consumer: str, event: Envelope, *, handled: bool, begins_now: bool, is_attempt: bool
) -> Place:
    """Lock this consumer's place in the aggregate and, when it is the event's turn, write receipt and cursor.

    `handled` chooses between a `done` and a `skipped` receipt. `begins_now` is a consumer that leaves out the past.
    `is_attempt` says that a delivery kept here is being tried again: a mere copy from the bus must not hurry one that
    failed. When the turn is HELD the caller must roll back.
    """
    facts = _facts(consumer, event) | {"state": "done" if handled else "skipped"}
    row = TAKE.run(session, facts | _first(session, facts, begins_now=begins_now)).one_or_none()
    if row is None or not row.is_next:
        return Place(_turn_elsewhere(session, facts, is_attempt=is_attempt))
    turn = Turn.NOW if row.is_new else _turn_waiting(session, facts, is_attempt=is_attempt)
    return Place(turn, followed=row.followed and turn is not Turn.HELD)


def _first(session: Session, facts: dict[str, Any], *, begins_now: bool) -> dict[str, int]:
    """Where the cursor of an aggregate begins that has none yet: before the first event, or with it."""
    if begins_now:
        _BEGIN_AFTER.run(session, facts)
    return {"first": 1 if facts["seq"] == 1 and not begins_now else 0}


def _turn_elsewhere(session: Session, facts: dict[str, Any], *, is_attempt: bool) -> Turn:
    last_seq = _LAST_SEQ.run(session, facts).one().last_seq
    if facts["seq"] > last_seq:
        return Turn.EARLY
    if not is_attempt or _STATE.run(session, facts).one().state != "failed":
        return Turn.SEEN
    _RECEIVE_WAITING.run(session, facts)  # the others went on without it
    return Turn.NOW


def _turn_waiting(session: Session, facts: dict[str, Any], *, is_attempt: bool) -> Turn:
    state = _STATE.run(session, facts).one().state
    if state in ("done", "skipped"):
        return Turn.SEEN
    if state != "parked" and not is_attempt:
        return Turn.HELD
    _RECEIVE_WAITING.run(session, facts)
    return Turn.NOW


def park(session: Session, consumer: str, event: Envelope, text: str) -> None:
    """Keep an event until those before it have come. Needs the cursor's lock (`take`)."""
    _PARK.run(session, _facts(consumer, event) | {"envelope": text})


def call_follower(session: Session, consumer: str, event: Envelope, *, now: datetime) -> str | None:
    """The parked successor of an event just handled, whose turn has come: its text, if it is here."""
    facts = _facts(consumer, event) | {"until": now + timedelta(seconds=FOLLOWER_S)}
    row = _CALL_FOLLOWER.run(session, facts).one_or_none()
    return None if row is None else row.envelope


def pass_by(session: Session, consumer: str, event: Envelope, *, begins_now: bool) -> bool:
    """Lock this consumer's place and move it past an event that failed, if it stands there; tells whether others wait
    behind it. The event keeps its own schedule."""
    facts = _facts(consumer, event)
    row = _PASS.run(session, facts | _first(session, facts, begins_now=begins_now)).one_or_none()
    return row is not None and row.followed


def fail(session: Session, consumer: str, event: Envelope, text: str, *, error: str, now: datetime) -> Any:
    """Record a failed attempt: `state`, `attempts` and `next_attempt_at` as they are now; None if it is done anyway."""
    facts = _facts(consumer, event) | {"envelope": text, "error": error, "now": now, "backoff": list(BACKOFF_S)}
    return _FAIL.run(session, facts).one_or_none()


def claim_due(session: Session, consumer: str, *, now: datetime, limit: int = 20) -> Sequence[str]:
    """The texts of kept events whose next attempt is due, now this process's own for CLAIM_S seconds."""
    until = now + timedelta(seconds=CLAIM_S)
    rows = _CLAIM.run(session, {"consumer": consumer, "now": now, "until": until, "limit": limit})
    return [row.envelope for row in rows]


def lacks(session: Session, consumer: str) -> bool:
    """Whether one of the newest events was sent ON_ITS_WAY_S ago or earlier and is unknown to this consumer."""
    return bool(_LACKS.run(session, {"consumer": consumer, "seconds": ON_ITS_WAY_S}).one().lacks)


def _facts(consumer: str, event: Envelope) -> dict[str, str | int | UUID]:
    return {
        "consumer": consumer,
        "event_id": event.event_id,
        "aggregate_type": event.aggregate_type,
        "aggregate_id": event.aggregate_id,
        "seq": event.seq,
    }
