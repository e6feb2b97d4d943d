"""What an operator sees and does about events: follow them, list the dead, have them tried again, give one up.

Services: they take a session and never commit. `follow` alone opens its own, because it never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased, sessionmaker

from app.db import TenantSession, raw, transaction
from app.events.models import Delivery, EventArchive, OutboxRow
from app.tenancy import SYSTEM

LOOK_BACK = 1000  # a transaction may commit after others that drew a higher id

_STUCK = ("failed", "dead")
_GIVE_UP = raw("""
    WITH given_up AS (
        UPDATE delivery SET state = 'skipped', next_attempt_at = NULL, envelope = NULL, at = clock_timestamp()
        WHERE consumer = :consumer AND event_id = :event_id AND state IN ('failed', 'dead')
        RETURNING consumer, aggregate_type, aggregate_id, seq
    ), moved AS (
        UPDATE cursor c SET last_seq = g.seq FROM given_up g
        WHERE c.consumer = g.consumer AND c.aggregate_type = g.aggregate_type AND c.aggregate_id = g.aggregate_id
          AND c.last_seq = g.seq - 1
        RETURNING c.consumer
    ), follower AS (
        UPDATE delivery d SET next_attempt_at = :now FROM given_up g
        WHERE d.consumer = g.consumer AND d.aggregate_type = g.aggregate_type AND d.aggregate_id = g.aggregate_id
          AND d.seq = g.seq + 1 AND d.state = 'parked'
    )
    SELECT count(*) FROM given_up
""")
_LOCK_CURSOR = raw("""
    INSERT INTO cursor AS c (consumer, aggregate_type, aggregate_id)
    SELECT consumer, aggregate_type, aggregate_id FROM delivery WHERE consumer = :consumer AND event_id = :event_id
    ON CONFLICT (consumer, aggregate_type, aggregate_id) DO UPDATE SET last_seq = c.last_seq
""")
_HEALTH = raw("""
    SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
           (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8
              FROM outbox WHERE published_at IS NULL) AS lag_s,
           (SELECT count(*) FROM outbox WHERE settled_at IS NULL) AS unsettled,
           count(*) FILTER (WHERE state = 'parked') AS parked,
           count(*) FILTER (WHERE state = 'failed') AS failed,
           count(*) FILTER (WHERE state = 'dead') AS dead
    FROM delivery WHERE state IN ('parked', 'failed', 'dead')
""")


@dataclass(frozen=True, slots=True)
class Health:
    """How the events are doing: `lag_s` is the age in seconds of the oldest event that has not gone out."""

    unpublished: int
    lag_s: float
    unsettled: int
    parked: int
    failed: int
    dead: int


def health(session: Session) -> Health:
    return Health(**session.execute(_HEALTH).mappings().one())


def latest(session: Session, *, limit: int = 20, event_type: str | None = None) -> list[OutboxRow]:
    """The last events recorded, oldest first; `event_type` narrows to one type."""
    rows = select(OutboxRow).order_by(OutboxRow.id.desc()).limit(limit)
    if event_type is not None:
        rows = rows.where(OutboxRow.type == event_type)
    return list(session.scalars(rows))[::-1]


def follow(
    make_session: sessionmaker[TenantSession],
    *,
    rest: Callable[[], Any],
    limit: int = 20,
    event_type: str | None = None,
) -> Iterator[OutboxRow]:
    """The last `limit` events, then each new one as it is committed, calling `rest()` whenever there is none.

    Ends when `rest` raises StopIteration.
    """
    with transaction(make_session, SYSTEM) as session:
        known = latest(session, limit=LOOK_BACK)
        first = latest(session, limit=limit, event_type=event_type)
    yield from first
    seen = {row.id for row in known}
    while True:
        with transaction(make_session, SYSTEM) as session:
            new = _new_rows(session, seen)
        yield from (row for row in new if event_type in (None, row.type))
        seen = set(sorted(seen | {row.id for row in new})[-LOOK_BACK:])
        if not new:
            try:
                rest()
            except StopIteration:
                return


def _new_rows(session: Session, seen: set[int]) -> Sequence[OutboxRow]:
    """Those not seen yet; what came back from an archive is not new."""
    back = exists().where(OutboxRow.id.between(EventArchive.first_id, EventArchive.last_id))
    rows = select(OutboxRow).where(OutboxRow.id > min(seen, default=0) - 1, OutboxRow.id.not_in(seen), ~back)
    return session.scalars(rows.order_by(OutboxRow.id)).all()


def dead(session: Session, *, consumer: str | None = None, include_failed: bool = False) -> list[Delivery]:
    """Deliveries that were given up (and, if asked, those that will be tried again), oldest first, with their error."""
    states = _STUCK if include_failed else ("dead",)
    return list(session.scalars(_narrowed(select(Delivery).where(Delivery.state.in_(states)), consumer)))


def waiting_behind(session: Session, delivery: Delivery) -> int:
    """How many events of the same booking (or whatever it is about) wait for this one, at the same consumer."""
    later = aliased(Delivery)
    same = (
        later.consumer == delivery.consumer,
        later.aggregate_type == delivery.aggregate_type,
        later.aggregate_id == delivery.aggregate_id,
        later.seq > delivery.seq,
        later.state == "parked",
    )
    return int(session.execute(select(func.count()).select_from(later).where(*same)).scalar_one())


def _narrowed(rows: Any, consumer: str | None) -> Any:
    rows = rows.order_by(Delivery.at, Delivery.event_id)
    return rows if consumer is None else rows.where(Delivery.consumer == consumer)


def replay(
    session: Session, *, now: datetime, event_id: UUID | None = None, consumer: str | None = None
) -> list[tuple[str, UUID]]:
    """Have failed and dead deliveries tried again at once, with all their attempts before them.

    All of them, or those of one event, one consumer, or both. Returns (consumer, event_id) of each. What is done is
    never done again.
    """
    stuck = update(Delivery).where(Delivery.state.in_(_STUCK))
    if event_id is not None:
        stuck = stuck.where(Delivery.event_id == event_id)
    if consumer is not None:
        stuck = stuck.where(Delivery.consumer == consumer)
    again = stuck.values(state="failed", attempts=0, next_attempt_at=now).returning(
        Delivery.consumer, Delivery.event_id
    )
    rows = session.execute(again.execution_options(synchronize_session=False))
    return [(name, uid) for name, uid in rows]


def send_again(session: Session, event_id: UUID) -> bool:
    """Have the relay publish an event once more; consumers that have it ignore the copy. False: no such event."""
    again = update(OutboxRow).where(OutboxRow.event_id == event_id).values(published_at=None, settled_at=None)
    rows = session.execute(again.returning(OutboxRow.id).execution_options(synchronize_session=False))
    return rows.one_or_none() is not None


def give_up(session: Session, *, consumer: str, event_id: UUID, now: datetime) -> bool:
    """Leave out a failed or dead event for good, so that those behind it go on. False: there is no such delivery."""
    facts = {"consumer": consumer, "event_id": event_id, "now": now}
    session.execute(_LOCK_CURSOR, facts)
    return bool(session.execute(_GIVE_UP, facts).scalar_one())
