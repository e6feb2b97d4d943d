"""On a real broker: every confirmation counted, nothing lost or done twice under kill -9, nothing dropped unread."""

from __future__ import annotations

import uuid

import pytest
from kombu import Queue
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.bus import Bus, Message, NotConfirmed, Publisher
from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from tests.conftest import Clock
from tests.waiting import until
from tests.workers.effects import COUNTING, a_story, effects, texts, wrong_effects
from tests.workers.process import Worker, workers
from tests.workers.test_relay import running, unpublished
from workers.consume import ConsumerLoop
from workers.handle import EventHandler
from workers.reconcile import Reconciler
from workers.relay import Relay

pytestmark = pytest.mark.rabbitmq
Sessions = sessionmaker[TenantSession]


def a_message(body: str = "{}", event_type: str = "booking.made") -> Message:
    return Message(str(uuid.uuid4()), event_type, body)


def depth(bus: Bus) -> int:
    return bus.depths([COUNTING])["counting"]


def test_a_batch_is_confirmed_message_by_message(rabbit_bus: Bus) -> None:
    publisher = Publisher(rabbit_bus, [COUNTING])
    publisher.publish([a_message() for _ in range(500)])
    publisher.publish([a_message()])
    publisher.close()
    until(lambda: depth(rabbit_bus) == 501)


def test_an_event_nobody_listens_to_is_no_fault(rabbit_bus: Bus) -> None:
    publisher = Publisher(rabbit_bus, [COUNTING])
    publisher.publish([a_message(event_type="space.closed")])
    publisher.close()


def test_a_message_the_broker_refuses_makes_the_batch_unpublished(rabbit_bus: Bus) -> None:
    publisher = Publisher(rabbit_bus, [COUNTING])
    publisher.publish([a_message()])
    small = Queue(
        f"{rabbit_bus.prefix}.small",
        rabbit_bus.exchange,
        routing_key="booking.made",
        exclusive=True,  # gone with its connection, whatever happens
        queue_arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
    )
    with rabbit_bus.connection("small") as connection:
        small(connection.default_channel).declare()
        with pytest.raises(NotConfirmed, match="refused"):
            publisher.publish([a_message() for _ in range(50)])
    publisher.publish([a_message()])
    publisher.close()


def test_a_message_no_queue_takes_is_noticed_and_the_queue_comes_back(rabbit_bus: Bus) -> None:
    publisher = Publisher(rabbit_bus, [COUNTING])
    publisher.publish([a_message()])
    with rabbit_bus.connection("delete") as connection:
        rabbit_bus.queue(COUNTING)(connection.default_channel).delete()
    with pytest.raises(NotConfirmed, match="returned"):
        publisher.publish([a_message()])
    publisher.publish([a_message()])
    publisher.close()
    until(lambda: depth(rabbit_bus) == 1)


def test_what_is_no_event_goes_to_the_dead_letters_whole(rabbit_bus: Bus, handler: EventHandler) -> None:
    publisher = Publisher(rabbit_bus, [COUNTING])
    publisher.publish([a_message("this is not an event")])
    publisher.close()
    with running(ConsumerLoop(rabbit_bus, handler).run), rabbit_bus.connection("dead") as connection:
        dead = rabbit_bus.dead_queue()(connection.default_channel)
        message = until(lambda: dead.get(no_ack=True))
        assert message.body in ("this is not an event", b"this is not an event")


def test_events_purged_from_a_queue_are_sent_again(
    rabbit_bus: Bus, engine: Engine, counted: Sessions, handler: EventHandler
) -> None:
    stories = [a_story(counted, 2) for _ in range(10)]
    publisher = Publisher(rabbit_bus, [COUNTING])
    reconciler = Reconciler(engine, counted, [COUNTING], rabbit_bus.depths, grace_s=0.5)
    with running(Relay(engine, publisher).run):
        until(lambda: not unpublished(counted))
        with rabbit_bus.connection("purge") as connection:
            until(lambda: depth(rabbit_bus) == 20)
            rabbit_bus.queue(COUNTING)(connection.default_channel).purge()
        with running(ConsumerLoop(rabbit_bus, handler).run, reconciler.run):
            until(lambda: len(effects(counted)) == 20, within=20)
    assert wrong_effects(counted, stories, 2) == {}


def test_a_failed_event_waits_in_the_database_not_on_the_bus(
    rabbit_bus: Bus, counted: Sessions, clock: Clock, handler: EventHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = a_story(counted, 2)
    monkeypatch.setattr("tests.workers.effects.BAD", "someone")
    publisher = Publisher(rabbit_bus, [COUNTING])
    publisher.publish([Message(str(uuid.uuid4()), "booking.made", text) for text in texts(counted, story)])
    publisher.close()
    with running(ConsumerLoop(rabbit_bus, handler).run):
        until(lambda: waiting_states(counted) == ["failed", "parked"])
        assert depth(rabbit_bus) == 0
        monkeypatch.undo()
        clock.pass_by(seconds=6)
        until(lambda: effects(counted, story) == [1, 2])


def waiting_states(make_session: Sessions) -> list[str]:
    with transaction(make_session, SYSTEM) as session:
        return list(session.scalars(raw("SELECT state FROM delivery ORDER BY seq")))


@pytest.mark.slow
def test_kill_9_of_relays_and_workers_in_turn_loses_and_doubles_nothing(
    rabbit_bus: Bus, counted: Sessions, database_url: str
) -> None:
    where = {"database_url": database_url, "broker_url": rabbit_bus.url, "prefix": rabbit_bus.prefix}
    crew = [Worker(name, **where) for name in ("relay", "relay", "counting", "counting")]
    stories: list[uuid.UUID] = []
    with workers(*crew):
        for victim in (*crew, *crew):
            stories += [a_story(counted, 3) for _ in range(30)]
            had = len(effects(counted))
            victim.kill_and_restart()
            until(lambda had=had: len(effects(counted)) > had, within=30)  # type: ignore[misc]
        until(lambda: len(effects(counted)) >= len(stories) * 3, within=60)
        assert wrong_effects(counted, stories, 3) == {}
        assert [worker.stop() for worker in crew] == [0] * 4
