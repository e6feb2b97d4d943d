"""What the broker does to a consumer and to a publisher without breaking their connections."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Connection
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.bus import Blocked, Bus, Publisher
from app.db import TenantSession
from tests.faults.cable import Cable
from tests.waiting import until
from tests.workers.effects import COUNTING, a_story, effects, texts
from tests.workers.test_rabbitmq import a_message
from tests.workers.test_relay import running, unpublished
from tests.workers.test_scaling import publish
from workers.consume import BusStandsStill, ConsumerLoop, Silence
from workers.handle import EventHandler
from workers.relay import Relay

pytestmark = pytest.mark.rabbitmq
Sessions = sessionmaker[TenantSession]


def test_a_queue_that_is_deleted_under_its_consumer_comes_back_and_is_consumed(
    rabbit_bus: Bus, engine: Engine, counted: Sessions, handler: EventHandler
) -> None:
    relay = Relay(engine, Publisher(rabbit_bus, [COUNTING]))
    with running(ConsumerLoop(rabbit_bus, handler).run, relay.run), rabbit_bus.connection("delete") as connection:
        for had in (1, 2, 3):
            a_story(counted, 1)
            until(lambda had=had: len(effects(counted)) == had, within=15)  # type: ignore[misc]
            rabbit_bus.queue(COUNTING)(connection.default_channel).delete()


def test_a_consumer_that_the_broker_sends_into_the_void_finds_out_and_comes_back(
    rabbit_bus: Bus, engine: Engine, counted: Sessions, handler: EventHandler
) -> None:
    """RabbitMQ 3.10 does so when a queue is deleted and declared again before its consumer could be told."""
    relay = Relay(engine, Publisher(rabbit_bus, [COUNTING]))
    loop = Deaf(rabbit_bus, handler)
    with running(loop.run, relay.run):
        until(lambda: loop.consumes)
        story = a_story(counted, 1)
        until(lambda: effects(counted, story) == [1], within=15)
    assert loop.heard == 2


class Deaf(ConsumerLoop):
    """Hears nothing of the first message sent to it."""

    heard = 0
    consumes = False

    def _receive(self, message: Any) -> None:
        self.heard += 1
        if self.heard > 1:
            super()._receive(message)

    def _listen(self, connection: Connection) -> None:
        self.consumes = True
        super()._listen(connection)


def test_a_queue_that_knows_of_no_consumer_is_left(rabbit_bus: Bus, counted: Sessions, handler: EventHandler) -> None:
    story = a_story(counted, 1)
    loop = Cancelled(rabbit_bus, handler)
    with running(loop.run):
        until(lambda: loop.cancelled)
        publish(rabbit_bus, texts(counted, story))
        until(lambda: effects(counted, story) == [1], within=15)


class Cancelled(ConsumerLoop):
    """Its consumer is taken away once, and it is not told."""

    cancelled = False

    def _listen(self, connection: Connection) -> None:
        if not self.cancelled:
            channel = connection.default_channel
            for tag in list(channel.callbacks):
                channel.basic_cancel(tag)
            self.cancelled = True
        super()._listen(connection)


def test_a_silence_is_questioned_later_after_each_connection_that_did_not_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("workers.consume.time.monotonic", lambda: now[0])
    silence = Silence()
    lasted = []
    for _ in range(7):
        silence.begin()
        began = now[0]
        while not silence.is_long:
            now[0] += 1
        lasted.append(now[0] - began)
        silence.doubt("perhaps on its way")
        with pytest.raises(BusStandsStill):
            silence.doubt("it is not")
    assert lasted == [3, 6, 12, 24, 48, 60, 60]
    silence.over()
    silence.doubt("perhaps on its way")


# connection.blocked (without a reason) and connection.unblocked, as RabbitMQ sends them to who publishes.
BLOCKED, UNBLOCKED = (
    bytes([1, 0, 0, 0, 0, 0, len(method)]) + method + b"\xce" for method in (b"\0\x0a\0\x3c\0", b"\0\x0a\0\x3d")
)


def test_a_broker_that_takes_nothing_for_now_is_waited_for_on_the_same_connection(
    line: tuple[Bus, Cable], engine: Engine, counted: Sessions
) -> None:
    bus, laid = line
    story = a_story(counted, 3)
    publisher = Publisher(bus, [COUNTING])
    publisher.publish([a_message()])
    connection = publisher._connection
    laid.hold_back()  # an alarm of the broker's: it reads no more from those who publish
    laid.say(BLOCKED)
    until(lambda: not can_publish(publisher))
    assert not can_publish(publisher)
    with running(Relay(engine, publisher).run):
        laid.say(UNBLOCKED)
        laid.thaw()
        until(lambda: not unpublished(counted))
        assert publisher._connection is connection
    assert unpublished(counted) == 0
    assert len(texts(counted, story)) == 3


def can_publish(publisher: Publisher) -> bool:
    try:
        publisher.publish([a_message()])
    except Blocked:
        return False
    return True
