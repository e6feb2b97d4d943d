"""Events that are old enough to leave the outbox, and an archivist who takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, raw, sessions, transaction
from app.events import archive
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from tests.workers.effects import COUNTING, a_story, texts
from workers.archive import Archivist
from workers.handle import EventHandler
from workers.reconcile import Reconciler
from workers.registry import Consumer

KEEP = timedelta(days=90)
Sessions = sessionmaker[TenantSession]


def much_later() -> datetime:
    """When all that was recorded by now may leave, and need not wait for a fuller file."""
    return utc_now() + KEEP * 1.1


def an_archivist(engine: Engine, folder: Path, *, clock: Any = much_later, keep: timedelta = KEEP) -> Archivist:
    return Archivist(engine, sessions(engine), folder=folder, keep=keep, clock=clock)


def work_off(archivist: Archivist) -> None:
    """All there is to do."""
    while archivist.step():
        pass


def handled_stories(
    make_session: Sessions, *, count: int = 3, length: int = 3, consumers: Sequence[Consumer] = (COUNTING,)
) -> list[UUID]:
    """Bookings whose events were published, and handled by each of `consumers`."""
    stories = [a_story(make_session, length) for _ in range(count)]
    for story in stories:
        for consumer in consumers:
            handle_all(make_session, consumer, texts(make_session, story))
    settle(make_session, consumers)
    return stories


def handle_all(make_session: Sessions, consumer: Consumer, events: Sequence[str]) -> list[str]:
    """What became of each, as a consumer would have it; parked ones are called when their turn has come."""
    handler, outcomes = EventHandler(consumer, make_session), []
    waiting = list(events)
    while waiting:
        result = handler.handle(waiting.pop(0), is_attempt=False)
        outcomes.append(str(result.outcome))
        follower = result.follower
        while follower is not None:
            result = handler.handle(follower, is_attempt=True)
            outcomes.append(str(result.outcome))
            follower = result.follower
    return outcomes


def settle(make_session: Sessions, consumers: Sequence[Consumer] = (COUNTING,)) -> int:
    """Count everything as published, and settle what all consumers have."""
    with transaction(make_session, SYSTEM) as session:
        session.execute(raw("UPDATE outbox SET published_at = now() WHERE published_at IS NULL"))
    engine: Any = make_session.kw["bind"]
    return Reconciler(engine, make_session, consumers, lambda _: {}).settle()


def rows(make_session: Sessions, sql: str, **facts: Any) -> list[Any]:
    with transaction(make_session, SYSTEM) as session:
        found = session.execute(raw(sql), facts)
        return [tuple(row) for row in found] if found.returns_rows else []  # type: ignore[attr-defined]


def counts(make_session: Sessions) -> tuple[int, int]:
    """How many events and how many deliveries are in the database."""
    ((events, deliveries),) = rows(
        make_session, "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM delivery)"
    )
    return events, deliveries


def archived(folder: Path) -> list[tuple[str, int]]:
    """Each event in the folder's files, as often as it is there: (aggregate, number)."""
    return sorted(
        (str(event.aggregate_id), event.seq)
        for name in archive.names(folder)
        for event in archive.read(folder / name).events
    )
