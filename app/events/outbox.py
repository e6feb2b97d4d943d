"""Recording domain events in the transaction that makes them true (the transactional outbox)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session
from structlog.contextvars import get_contextvars

from app.db import Base, Statement
from app.events import envelope
from app.events.catalogue import DomainEvent
from app.ids import new_id

_INSERT = Statement(
    """
    INSERT INTO outbox (event_id, aggregate_type, aggregate_id, seq, type, version, occurred_at, envelope)
    VALUES (:event_id, :aggregate_type, :aggregate_id, :seq, :type, :version, :occurred_at, :envelope)
    """
)


class Aggregate(Protocol):
    """A row whose events are numbered: it has an id, a public uid, and counts its events in `event_seq`."""

    id: Any
    uid: Any
    event_seq: Any


def record(session: Session, aggregate: Base, fact: DomainEvent, *, at: datetime) -> UUID:
    """Record `fact` about `aggregate` as the next of its sequence; it is published once this transaction commits.

    The number comes from an UPDATE of the aggregate, so that two transactions on one aggregate wait for each other here
    at the latest, and no number is taken twice or left out.
    """
    return insert_event(session, fact, aggregate_id=_uid(aggregate), seq=_next_number(session, aggregate), at=at)


def record_echo(session: Session, aggregate: Base, fact: DomainEvent, *, of: UUID, at: datetime) -> UUID:
    """Record once more, in an older version that somebody outside still reads, what `of` has just told in the newest.

    It is the next event of the aggregate, and has no effect of its own; see app.events.upcasting.
    """
    seq = _next_number(session, aggregate)
    return insert_events(session, [(fact, _uid(aggregate), seq)], at=at, superseded_by=of)[0]


def _uid(aggregate: Any) -> UUID:
    uid: UUID = aggregate.uid
    return uid


def _next_number(session: Session, aggregate: Base) -> int:
    kind: Any = type(aggregate)
    key: Any = aggregate
    numbered = (
        update(kind)
        .where(kind.id == key.id)
        .values(event_seq=kind.event_seq + 1)
        .returning(kind.event_seq)
        .execution_options(synchronize_session=False)
    )
    seq: int = session.execute(numbered).scalar_one()
    return seq


def insert_event(session: Session, fact: DomainEvent, *, aggregate_id: UUID, seq: int, at: datetime) -> UUID:
    """Record the first fact (seq 1) about an aggregate inserted in this same transaction."""
    return insert_events(session, [(fact, aggregate_id, seq)], at=at)[0]


def insert_events(
    session: Session,
    facts: Sequence[tuple[DomainEvent, UUID, int]],
    *,
    at: datetime,
    superseded_by: UUID | None = None,
) -> list[UUID]:
    """Several facts about different aggregates, in one statement."""
    rows = [
        _row(fact, aggregate_id=aggregate_id, seq=seq, at=at, superseded_by=superseded_by)
        for fact, aggregate_id, seq in facts
    ]
    if rows:
        _INSERT.run(session, rows if len(rows) > 1 else rows[0])
        session.info.setdefault("recorded", []).extend(fact for fact, _, _ in facts)  # counted at commit: http/metrics
    return [row["event_id"] for row in rows]


def _row(
    fact: DomainEvent, *, aggregate_id: UUID, seq: int, at: datetime, superseded_by: UUID | None
) -> dict[str, Any]:
    event_id = new_id()
    request_id = get_contextvars().get("request_id")
    return {
        "event_id": event_id,
        "aggregate_type": fact.aggregate_type,
        "aggregate_id": aggregate_id,
        "seq": seq,
        "type": fact.type,
        "version": fact.version,
        "occurred_at": at,
        "envelope": envelope.write(
            fact,
            event_id=event_id,
            aggregate_id=aggregate_id,
            seq=seq,
            at=at,
            request_id=request_id,
            superseded_by=superseded_by,
        ),
    }
