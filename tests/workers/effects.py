"""A consumer whose effect can be counted: it writes one row per event, with nothing that would hide a second one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, raw, transaction
from app.events.catalogue import BookingAccepted, BookingApproved, BookingMade, DomainEvent
from app.events.envelope import Envelope
from app.events.outbox import insert_event
from app.tenancy import SYSTEM
from workers.registry import Consumer

CREATE = raw("CREATE TABLE effect (id bigserial, consumer text, aggregate_id uuid, seq bigint, event_id uuid)")
INSERT = raw("INSERT INTO effect (consumer, aggregate_id, seq, event_id) VALUES (:consumer, :aggregate_id, :seq, :event_id)")  # fmt: skip  # noqa: E501
ALL = raw("SELECT aggregate_id, seq FROM effect WHERE consumer = :consumer ORDER BY id")
BAD = "bad"  # an accepted booking with this member cannot be handled


def write_effect(session: Session, event: Envelope, *, consumer: str = "counting") -> None:
    if event.data["member_id"] == BAD:
        raise RuntimeError("this one is bad")
    session.execute(
        INSERT,
        {"consumer": consumer, "aggregate_id": event.aggregate_id, "seq": event.seq, "event_id": event.event_id},
    )


def counting(session: Session, event: Envelope, *, now: datetime) -> None:
    write_effect(session, event)


COUNTING = Consumer("counting", ("booking",), {"booking.made": counting, "booking.accepted": counting})


def made(booking_id: UUID, member: str = "someone") -> BookingMade:
    return BookingMade(
        booking_id=str(booking_id),
        space_id=str(uuid.uuid4()),
        resource_id=str(uuid.uuid4()),
        member_id=member,
        status="confirmed",
        start="2026-03-02T08:00:00Z",
        end="2026-03-02T16:00:00Z",
        gross_cents=2420,
        net_cents=2000,
        vat_cents=420,
        currency="EUR",
        cover=[],
    )


def accepted(booking_id: UUID, member: str = "someone") -> BookingAccepted:
    return BookingAccepted(str(booking_id), str(uuid.uuid4()), member)


def approved(booking_id: UUID) -> BookingApproved:
    """An event that COUNTING does not handle."""
    return BookingApproved(str(booking_id), str(uuid.uuid4()), "someone")


def record_events(
    make_session: sessionmaker[TenantSession], booking_id: UUID, *facts: DomainEvent, first: int = 1
) -> list[UUID]:
    """Record facts about one booking, each in a transaction of its own."""
    ids = []
    for seq, fact in enumerate(facts, start=first):
        with transaction(make_session, SYSTEM) as session:
            ids.append(insert_event(session, fact, aggregate_id=booking_id, seq=seq, at=datetime.now(UTC)))
    return ids


def a_story(make_session: sessionmaker[TenantSession], length: int = 3) -> UUID:
    """A booking about which `length` events are recorded."""
    booking_id = uuid.uuid4()
    record_events(make_session, booking_id, made(booking_id), *(accepted(booking_id) for _ in range(length - 1)))
    return booking_id


def texts(make_session: sessionmaker[TenantSession], booking_id: UUID) -> list[str]:
    """The envelopes recorded about a booking, in order."""
    with transaction(make_session, SYSTEM) as session:
        rows = raw("SELECT envelope FROM outbox WHERE aggregate_id = :id ORDER BY seq")
        return list(session.scalars(rows, {"id": booking_id}))


def effects(
    make_session: sessionmaker[TenantSession], booking_id: UUID | None = None, *, consumer: str = "counting"
) -> list[int]:
    """The sequence numbers that had their effect, in the order in which they had it."""
    with transaction(make_session, SYSTEM) as session:
        rows = session.execute(ALL, {"consumer": consumer}).all()
    return [row.seq for row in rows if booking_id in (None, row.aggregate_id)]


def state(
    make_session: sessionmaker[TenantSession], event_id: UUID, *, consumer: str = "counting"
) -> dict[str, object] | None:
    """The delivery row of an event, as a dict."""
    with transaction(make_session, SYSTEM) as session:
        row = raw("SELECT * FROM delivery WHERE consumer = :consumer AND event_id = :event_id")
        found = session.execute(row, {"consumer": consumer, "event_id": event_id}).mappings().one_or_none()
        return None if found is None else dict(found)


def create_effects(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(CREATE)


def drop_effects(engine: Engine) -> None:
    """A database with its tables as they were is used again; where somebody still holds this one, it is replaced."""
    engine.dispose()  # what a test did to its connections is over
    with suppress(DBAPIError), engine.begin() as connection:
        connection.execute(raw("SET LOCAL lock_timeout = '200ms'"))
        connection.execute(raw("DROP TABLE IF EXISTS effect"))


def wrong_effects(make_session: sessionmaker[TenantSession], stories: Sequence[UUID], length: int) -> dict[UUID, list]:
    """The stories whose effects are not exactly 1, 2, … length, with what they are instead."""
    with transaction(make_session, SYSTEM) as session:
        rows = session.execute(ALL, {"consumer": "counting"}).all()
    had: dict[UUID, list[int]] = {story: [] for story in stories}
    for row in rows:
        had[row.aggregate_id].append(row.seq)
    return {story: seqs for story, seqs in had.items() if seqs != list(range(1, length + 1))}
