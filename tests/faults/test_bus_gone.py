"""RabbitMQ out of reach: members book as ever, and their calendars catch up once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.bus import Bus
from tests.faults.cable import cable
from tests.faults.town import a_town, in_feed, open_feed
from tests.running import Caller, web, worker
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq]


def test_without_the_bus_members_book_and_the_feed_catches_up(own_database: str, broker: Bus, tmp_path: Path):
    town = a_town(own_database, members=1)
    wishes = town.wishes(6)
    real = make_url(broker.url)
    with cable(real.host or "", real.port or 5672) as line:
        address = real.set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)
        on_rabbit = {"home": tmp_path, "broker_url": address, "prefix": broker.prefix}
        with (
            web(own_database, home=tmp_path, broker_url=address) as serving,
            worker(own_database, "relay", **on_rabbit) as relay,
            worker(own_database, "calendar", **on_rabbit) as calendar,
            Caller(serving.port, town.tokens[0]) as caller,
        ):
            feed = open_feed(caller)
            booked = []

            def book(wish) -> None:
                answer = caller.post("/bookings", wish.body, key=wish.key)
                assert answer.status == 201, answer.content
                assert answer.seconds < 2
                booked.append(answer.json["id"])

            def told() -> bool:
                return in_feed(caller, feed) == sorted(booked)

            for wish in wishes[:2]:
                book(wish)
            until(told, describe="the feed shows the first bookings")
            line.cut()
            for wish in wishes[2:4]:
                book(wish)
            assert not told()
            until(lambda: calendar.log.count('"bus_lost"') >= 3, describe="the consumer has sought the bus in vain")
            assert not calendar.has_ended
            assert not relay.has_ended
            line.mend()
            until(told, within=30, describe="the feed has caught up")
            for wish in wishes[4:]:
                book(wish)
            until(told, describe="the feed follows again")
    town.assert_every_booking_stands_once(booked)
