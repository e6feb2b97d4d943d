"""Who stands still is replaced within seconds, and does no harm when it goes on: processes and the broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from kombu.exceptions import OperationalError
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from app.bus import Bus, NotConfirmed, Publisher
from app.db import TenantSession, raw, transaction
from app.tenancy import SYSTEM
from tests.faults.cable import Cable
from tests.waiting import until
from tests.workers.effects import COUNTING, a_story, effects, wrong_effects
from tests.workers.process import Worker, workers
from tests.workers.test_rabbitmq import a_message
from tests.workers.test_relay import running
from tests.workers.test_scaling import consumers, consuming, in_hand, publish, texts
from workers.consume import ConsumerLoop
from workers.handle import EventHandler
from workers.relay import Relay

pytestmark = [pytest.mark.rabbitmq, pytest.mark.slow]
Sessions = sessionmaker[TenantSession]
RECOVERY_S = 15.0  # after any single fault
GIVES_UP_S = 12.0  # the longest that one attempt with a silent broker may take


def leads(make_session: Sessions) -> bool:
    with transaction(make_session, SYSTEM) as session:
        locks = raw("""
            SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
        """)
        return bool(session.scalar(locks))


@contextmanager
def two_relays(bus: Bus, make_session: Sessions, database_url: str) -> Iterator[tuple[Worker, Worker]]:
    """The first of them leads."""
    where = {"database_url": database_url, "broker_url": bus.url, "prefix": bus.prefix}
    first = Worker("relay", **where)
    with workers(first):
        until(lambda: leads(make_session), within=30)
        second = Worker("relay", **where)
        with workers(second):
            yield first, second


def test_a_leader_that_is_killed_or_frozen_is_replaced_within_seconds(
    rabbit_bus: Bus, counted: Sessions, database_url: str, handler: EventHandler
) -> None:
    stories = [a_story(counted, 2)]
    with running(ConsumerLoop(rabbit_bus, handler).run), two_relays(rabbit_bus, counted, database_url) as (one, other):
        until(lambda: len(effects(counted)) == 2, within=30)
        with one.frozen():
            stories.append(a_story(counted, 2))
            until(lambda: len(effects(counted)) == 4, within=RECOVERY_S)
        stories.append(a_story(counted, 2))  # the other leads, and the thawed one does not disturb it
        until(lambda: len(effects(counted)) == 6)
        other.kill_and_restart()
        stories.append(a_story(counted, 2))
        until(lambda: len(effects(counted)) == 8, within=RECOVERY_S)
        assert one.stop() == 0
    assert wrong_effects(counted, stories, 2) == {}


def test_what_a_frozen_consumer_holds_goes_to_another_within_seconds(
    rabbit_bus: Bus, counted: Sessions, database_url: str
) -> None:
    stories = [a_story(counted, 1) for _ in range(30)]
    first, second = consumers(rabbit_bus, database_url, 2)
    with workers(first, second), ExitStack() as stack:
        until(lambda: consuming(rabbit_bus) == 2, within=30)
        with transaction(counted, SYSTEM) as blocker:
            blocker.execute(raw("LOCK TABLE effect IN EXCLUSIVE MODE"))
            publish(rabbit_bus, [text for story in stories for text in texts(counted, story)])
            until(lambda: in_hand(counted) == 2)
            stack.enter_context(first.frozen())
        until(lambda: len(effects(counted)) == 30, within=RECOVERY_S)
        stack.close()
        more = a_story(counted, 1)
        publish(rabbit_bus, texts(counted, more))
        until(lambda: len(effects(counted)) == 31)
        assert [first.stop(), second.stop()] == [0, 0]
    assert wrong_effects(counted, [*stories, more], 1) == {}


def gives_up_after(attempt: Callable[[], object]) -> float:
    """How many seconds it takes until the attempt is given up."""
    began = time.monotonic()
    with pytest.raises((NotConfirmed, OSError, OperationalError)):
        attempt()
    return time.monotonic() - began


def test_nobody_waits_long_for_a_broker_that_says_nothing(
    line: tuple[Bus, Cable], counted: Sessions, handler: EventHandler
) -> None:
    bus, laid = line
    open_one, new_one = Publisher(bus, [COUNTING]), Publisher(bus, [COUNTING])
    open_one.publish([a_message()])
    laid.freeze()
    assert gives_up_after(lambda: bus.depths([COUNTING])) < GIVES_UP_S
    assert gives_up_after(lambda: new_one.publish([a_message()])) < GIVES_UP_S
    assert gives_up_after(lambda: open_one.publish([a_message() for _ in range(50)])) < GIVES_UP_S
    laid.thaw()
    open_one.publish([a_message()])
    for publisher in (open_one, new_one):
        publisher.close()


def test_a_frozen_broker_stops_nobody_for_longer_than_it_is_frozen(
    line: tuple[Bus, Cable], engine: Engine, counted: Sessions, handler: EventHandler
) -> None:
    bus, laid = line
    stories = [a_story(counted, 2)]
    with running(Relay(engine, Publisher(bus, [COUNTING])).run, ConsumerLoop(bus, handler).run):
        until(lambda: len(effects(counted)) == 2)
        laid.freeze()
        stories.append(a_story(counted, 2))
        time.sleep(12)  # both have given their connections up, and knock in vain
        laid.thaw()
        until(lambda: len(effects(counted)) == 4, within=RECOVERY_S)
    assert wrong_effects(counted, stories, 2) == {}
