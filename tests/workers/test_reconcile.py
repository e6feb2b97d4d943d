"""What was recorded and never received goes out again; what everybody has is left alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.bus import Bus
from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from tests.workers.effects import BAD, COUNTING, a_story, made, record_events, texts
from workers.handle import EventHandler
from workers.reconcile import Reconciler
from workers.registry import Consumer
from workers.subscriptions import subscribe

Sessions = sessionmaker[TenantSession]
PUBLISHED = raw("UPDATE outbox SET published_at = clock_timestamp() - interval '1 minute', publish_count = 1")


@pytest.fixture
def reconciler(engine: Engine, counted: Sessions) -> Reconciler:
    return Reconciler(engine, counted, [COUNTING], queues_hold(0))


def queues_hold(count: int) -> Callable[[Iterable[Consumer]], dict[str, int]]:
    return lambda consumers: {consumer.name: count for consumer in consumers}


def publish(make_session: Sessions) -> None:
    with transaction(make_session, SYSTEM) as session:
        session.execute(PUBLISHED)


def a_while_passes(make_session: Sessions) -> None:
    """In which nothing more is received."""
    with transaction(make_session, SYSTEM) as session:
        session.execute(raw("UPDATE delivery SET at = at - interval '31 seconds'"))


def outbox(make_session: Sessions, story: UUID, column: str) -> list[object]:
    with transaction(make_session, SYSTEM) as session:
        return list(session.scalars(raw(f"SELECT {column} FROM outbox WHERE aggregate_id = :id ORDER BY seq"), {"id": story}))  # fmt: skip  # noqa: E501


def test_what_every_consumer_has_is_settled(reconciler: Reconciler, handler: EventHandler, counted: Sessions) -> None:
    story = a_story(counted, 2)
    publish(counted)
    handler.handle(texts(counted, story)[0])
    assert reconciler.settle() == 1
    assert [at is not None for at in outbox(counted, story, "settled_at")] == [True, False]


def test_what_nobody_received_goes_out_again_after_the_grace_time(reconciler: Reconciler, counted: Sessions) -> None:
    story = a_story(counted, 1)
    publish(counted)
    reconciler.send_again(grace_s=120)
    assert outbox(counted, story, "published_at") != [None]
    reconciler.send_again(grace_s=30)
    assert outbox(counted, story, "published_at") == [None]


def test_each_further_sending_waits_twice_as_long(reconciler: Reconciler, counted: Sessions) -> None:
    story = a_story(counted, 1)
    publish(counted)
    with transaction(counted, SYSTEM) as session:
        session.execute(raw("UPDATE outbox SET publish_count = 3"))
    reconciler.send_again(grace_s=30)
    assert outbox(counted, story, "published_at") != [None]
    reconciler.send_again(grace_s=14)
    assert outbox(counted, story, "published_at") == [None]


def test_a_consumer_that_is_late_is_not_made_later(engine: Engine, counted: Sessions) -> None:
    story = a_story(counted, 1)
    publish(counted)
    Reconciler(engine, counted, [COUNTING], queues_hold(7)).send_again(grace_s=5)
    assert outbox(counted, story, "published_at") != [None]


def test_what_a_consumer_at_work_may_have_in_hand_is_not_sent_again(
    reconciler: Reconciler, counted: Sessions, handler: EventHandler
) -> None:
    in_hand, received = a_story(counted, 1), a_story(counted, 1)
    publish(counted)
    handler.handle(texts(counted, received)[0])
    reconciler.send_again(grace_s=30)
    assert outbox(counted, in_hand, "published_at") != [None]
    a_while_passes(counted)
    reconciler.send_again(grace_s=30)
    assert outbox(counted, in_hand, "published_at") == [None]


def test_what_a_late_consumer_must_have_passed_by_is_sent_again(
    engine: Engine, counted: Sessions, handler: EventHandler
) -> None:
    lost, late, received = a_story(counted, 1), a_story(counted, 1), a_story(counted, 1)
    publish(counted)
    with transaction(counted, SYSTEM) as session:
        went_out = raw("UPDATE outbox SET published_at = clock_timestamp() - :ago WHERE aggregate_id = :story")
        for story, seconds in ((lost, 20), (received, 12), (late, 11)):
            session.execute(went_out, {"ago": timedelta(seconds=seconds), "story": story})
    handler.handle(texts(counted, received)[0])
    Reconciler(engine, counted, [COUNTING], queues_hold(7)).send_again(grace_s=5)
    assert outbox(counted, lost, "published_at") == [None]
    assert outbox(counted, late, "published_at") != [None]


def test_what_is_parked_failed_or_dead_is_not_sent_again(
    reconciler: Reconciler, handler: EventHandler, counted: Sessions
) -> None:
    parked, failed = a_story(counted, 2), uuid.uuid4()
    record_events(counted, failed, made(failed, BAD))
    handler.handle(texts(counted, parked)[1])
    handler.handle(texts(counted, failed)[0])
    publish(counted)
    a_while_passes(counted)
    assert reconciler.settle() == 1  # the failed one: its text is kept with the receipt
    reconciler.send_again(grace_s=5)
    assert [at is None for at in outbox(counted, parked, "published_at")] == [True, False]
    assert outbox(counted, failed, "published_at") != [None]


def test_a_new_consumer_gets_the_past_only_if_it_wants_it(
    engine: Engine, reconciler: Reconciler, handler: EventHandler, counted: Sessions
) -> None:
    story = a_story(counted, 1)
    publish(counted)
    handler.handle(texts(counted, story)[0])
    assert reconciler.settle() == 1
    now = Consumer("from-now", ("booking",), {}, from_="now")
    subscribe(counted, [now])
    assert outbox(counted, story, "settled_at") != [None]
    beginning = Consumer("from-the-beginning", ("booking",), {})
    subscribe(counted, [beginning, beginning])
    assert outbox(counted, story, "settled_at") == [None]
    Reconciler(engine, counted, [COUNTING, now, beginning], queues_hold(0)).send_again(grace_s=5)
    assert outbox(counted, story, "published_at") == [None]


def test_what_the_bus_forgot_before_the_start_goes_out_without_grace(
    engine: Engine, counted: Sessions, memory_bus: Bus
) -> None:
    story = a_story(counted, 1)
    with transaction(counted, SYSTEM) as session:
        session.execute(raw("UPDATE outbox SET published_at = clock_timestamp(), publish_count = 1"))
    reconciler = Reconciler(engine, counted, [COUNTING], memory_bus.depths)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        reconciler.turn(connection)
        assert outbox(counted, story, "published_at") == [None]
