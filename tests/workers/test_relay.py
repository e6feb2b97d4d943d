"""What was recorded goes out, in whatever order transactions end, whoever leads and whatever breaks."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.bus import Bus, NotConfirmed, Publisher
from app.db import TenantSession, raw, transaction
from app.events.outbox import insert_event
from app.tenancy import SYSTEM
from tests.waiting import until
from tests.workers.effects import COUNTING, a_story, made
from workers.leader import lead
from workers.relay import BATCH, Relay

Sessions = sessionmaker[TenantSession]


@contextmanager
def running(*loops: object) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=loop, args=(stop,)) for loop in loops]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def unpublished(make_session: Sessions) -> int:
    with transaction(make_session, SYSTEM) as session:
        count: int = session.scalar(raw("SELECT count(*) FROM outbox WHERE published_at IS NULL")) or 0
        return count


def waiting(bus: Bus) -> int:
    return bus.depths([COUNTING])["counting"]


def test_recorded_events_go_out_once_and_are_marked(engine: Engine, counted: Sessions, memory_bus: Bus) -> None:
    for _ in range(5):
        a_story(counted, 2)
    relay = Relay(engine, Publisher(memory_bus, [COUNTING]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert (relay.pump(connection), relay.pump(connection)) == (10, 0)
    assert (unpublished(counted), waiting(memory_bus)) == (0, 10)


def test_a_transaction_that_ends_late_is_not_overlooked(engine: Engine, counted: Sessions, memory_bus: Bus) -> None:
    relay = Relay(engine, Publisher(memory_bus, [COUNTING]))
    early_id = uuid.uuid4()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with transaction(counted, SYSTEM) as slow:
            insert_event(slow, made(early_id), aggregate_id=early_id, seq=1, at=datetime.now(UTC))
            a_story(counted, 1)
            assert relay.pump(connection) == 1
        assert relay.pump(connection) == 1


def test_while_the_bus_is_away_rows_stay_unpublished_and_the_relay_pauses(engine: Engine, counted: Sessions) -> None:
    a_story(counted, 1)
    relay = Relay(engine, Publisher(Bus("amqp://guest:guest@127.0.0.1:1//"), [COUNTING]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(NotConfirmed):
            relay.pump(connection)
        pauses = [relay.turn(connection) for _ in range(8)]
    assert pauses == sorted(pauses) and pauses[-1] == 2.0
    assert unpublished(counted) == 1


def test_a_full_batch_is_followed_by_the_next_at_once(engine: Engine, counted: Sessions, memory_bus: Bus) -> None:
    with transaction(counted, SYSTEM) as session:
        for _ in range(BATCH + 1):
            story = uuid.uuid4()
            insert_event(session, made(story), aggregate_id=story, seq=1, at=datetime.now(UTC))
    relay = Relay(engine, Publisher(memory_bus, [COUNTING]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert relay.turn(connection) == 0.0
        assert relay.turn(connection) > 0.0


def test_one_leads_and_another_takes_over_when_its_connection_dies(engine: Engine, counted: Sessions) -> None:
    leading: list[str] = []
    stops = {"first": threading.Event(), "second": threading.Event()}

    def candidate(name: str) -> threading.Thread:
        def turn(connection: object) -> float:
            connection.execute(raw("SELECT 1"))  # type: ignore[attr-defined]
            leading.append(name)
            return 0.01

        thread = threading.Thread(target=lead, args=(engine, "test", stops[name], turn))
        thread.start()
        return thread

    first = candidate("first")
    until(lambda: leading)
    second = candidate("second")
    until(lambda: len(leading) > 20)
    assert set(leading) == {"first"}
    with transaction(counted, SYSTEM) as session:
        kill = raw("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip  # noqa: E501
        session.execute(kill)
    stops["first"].set()
    until(lambda: "second" in leading, within=5)
    stops["second"].set()
    for thread in (first, second):
        thread.join(5)
