"""kill -9 of one process after the other while members book: what was answered "booked" is booked, and told, once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import pytest

from app.bus import Bus
from tests.faults.town import Customers, a_town, in_feed, open_feed
from tests.running import Caller, Process, Web, web, worker

pytestmark = pytest.mark.slow
MEMBERS, EACH = 10, 50
KILL_EVERY = 70  # answered bookings


def kill_and_start(process: Process) -> None:
    """As a supervisor would: the next one starts as soon as the last is dead."""
    process.kill()
    process.start().wait_ready()


def book_under_fire(serving: Web, database_url: str, victims: Sequence[Process]) -> None:
    town = a_town(database_url, members=MEMBERS)
    total = MEMBERS * EACH
    with Customers(serving.port, town, each=EACH) as customers:
        for answered, victim in zip(range(30, total, KILL_EVERY), cycle([*victims, None]), strict=False):
            customers.until_answered(answered)
            kill_and_start(victim) if victim else serving.kill_a_worker()
        booked = customers.booked()
    everything = [uid for theirs in booked for uid in theirs]
    assert len(everything) == total
    town.assert_every_booking_stands_once(everything)
    town.assert_the_calendar_has_each_once(everything)
    for token, theirs in zip(town.tokens, booked, strict=True):
        with Caller(serving.port, token) as caller:
            assert in_feed(caller, open_feed(caller)) == sorted(theirs)
    assert all(victim.starts > 1 for victim in victims)


def test_web_and_the_one_worker_of_the_embedded_set_up(own_database: str, tmp_path: Path):
    with web(own_database, home=tmp_path) as serving, worker(own_database, "all", home=tmp_path) as everything:
        book_under_fire(serving, own_database, [serving, everything])


@pytest.mark.rabbitmq
def test_web_relay_and_calendar_worker_on_rabbitmq(own_database: str, broker: Bus, tmp_path: Path):
    on_rabbit = {"home": tmp_path, "broker_url": broker.url, "prefix": broker.prefix}
    with (
        web(own_database, home=tmp_path) as serving,
        worker(own_database, "relay", **on_rabbit) as relay,
        worker(own_database, "calendar", **on_rabbit) as calendar,
    ):
        book_under_fire(serving, own_database, [serving, relay, calendar])
