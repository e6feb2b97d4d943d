"""Several processes of one consumer: each booking keeps its order, nothing is doubled, and who leaves hands over."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from uuid import UUID

import pytest
from sqlalchemy.orm import sessionmaker

from app.bus import Bus, Message, Publisher
from app.db import TenantSession, raw, transaction
from app.events import envelope
from app.tenancy import SYSTEM
from tests.waiting import until
from tests.workers.effects import COUNTING, a_story, effects, texts, wrong_effects
from tests.workers.process import Worker, workers

pytestmark = [pytest.mark.rabbitmq, pytest.mark.slow]
Sessions = sessionmaker[TenantSession]


def publish(bus: Bus, messages: Iterable[str]) -> None:
    """Straight to the queue, as if the relay had sent them."""
    publisher = Publisher(bus, [COUNTING])
    read = [(text, envelope.read(text)) for text in messages]
    publisher.publish([Message(str(event.event_id), event.type, text) for text, event in read])
    publisher.close()


def consumers(bus: Bus, database_url: str, count: int) -> list[Worker]:
    where = {"database_url": database_url, "broker_url": bus.url, "prefix": bus.prefix}
    return [Worker("counting", **where) for _ in range(count)]


def consuming(bus: Bus) -> int:
    """How many processes take messages from the queue."""
    with bus.connection("count") as connection:
        bus.declare(connection.default_channel, [COUNTING])
        found = bus.queue(COUNTING)(connection.default_channel).queue_declare(passive=True)
        return int(found.consumer_count)


def waiting_states(make_session: Sessions) -> int:
    with transaction(make_session, SYSTEM) as session:
        return session.scalar(raw("SELECT count(*) FROM delivery WHERE state NOT IN ('done', 'skipped')")) or 0


def test_three_processes_keep_every_booking_in_order_through_copies_and_shuffles(
    rabbit_bus: Bus, counted: Sessions, database_url: str
) -> None:
    chance = random.Random(3)
    stories = [a_story(counted, 4) for _ in range(60)]
    messages = [text for story in stories for text in texts(counted, story)]
    messages += chance.sample(messages, len(messages) // 5)
    chance.shuffle(messages)
    publish(rabbit_bus, messages)
    crew = consumers(rabbit_bus, database_url, 3)
    with workers(*crew):
        until(lambda: len(effects(counted)) >= 240, within=60)
        until(lambda: rabbit_bus.depths([COUNTING])["counting"] == 0)
        assert [worker.stop() for worker in crew] == [0] * 3
    assert wrong_effects(counted, stories, 4) == {}
    assert waiting_states(counted) == 0


def test_a_process_that_is_asked_to_stop_finishes_its_event_and_the_others_have_the_rest_at_once(
    rabbit_bus: Bus, counted: Sessions, database_url: str
) -> None:
    stories: list[UUID] = [a_story(counted, 1) for _ in range(40)]
    first, second = consumers(rabbit_bus, database_url, 2)
    with workers(first, second):
        until(lambda: consuming(rabbit_bus) == 2, within=30)
        with transaction(counted, SYSTEM) as blocker:
            blocker.execute(
                raw("LOCK TABLE effect IN EXCLUSIVE MODE")
            )  # both have one event in hand, and cannot finish
            publish(rabbit_bus, [text for story in stories for text in texts(counted, story)])
            until(lambda: in_hand(counted) == 2)
            first.ask_to_stop()
            assert first.process.poll() is None
        asked = time.monotonic()
        until(lambda: len(effects(counted)) == 40, within=5)
        assert first.process.wait(10) == 0
        assert time.monotonic() - asked < 5
        assert second.stop() == 0
    assert wrong_effects(counted, stories, 1) == {}


def in_hand(make_session: Sessions) -> int:
    """How many transactions wait for the table."""
    with transaction(make_session, SYSTEM) as session:
        waiting = raw("SELECT count(*) FROM pg_locks WHERE relation = 'effect'::regclass AND NOT granted")
        return session.scalar(waiting) or 0
