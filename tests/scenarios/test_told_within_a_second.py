"""A booking, a move and a cancellation are on the phone within a second, with the real processes of both set-ups."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from tests.faults.town import a_town, open_feed
from tests.running import Caller, Web, broker_of_this_test, web, worker
from tests.waiting import until
from workers import registry

A_SECOND = 1.0
BUSY = 10  # times the wait for one answer, on a machine so busy that this is more than a second


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def serving(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Web]:
    with ExitStack() as stack:
        if request.param == "embedded":
            stack.enter_context(worker(database_url, "all", home=tmp_path))
        else:
            bus = stack.enter_context(broker_of_this_test(registry.load().values()))
            on_rabbit: dict[str, Any] = {"home": tmp_path, "broker_url": bus.url, "prefix": bus.prefix}
            stack.enter_context(worker(database_url, "relay", **on_rabbit))
            stack.enter_context(worker(database_url, "calendar", **on_rabbit))
        yield stack.enter_context(web(database_url, home=tmp_path))


class Phone:
    """Reads one feed again and again."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.path = caller, open_feed(caller)

    def shows(self, start: str, status: str) -> bool:
        events = icalendar.Calendar.from_ical(self.caller.get(self.path).content).walk("VEVENT")
        return [(event["DTSTART"].dt.isoformat(), str(event["STATUS"])) for event in events] == [(start, status)]

    def until_shown(self, start: str, status: str) -> None:
        asked = time.perf_counter()
        self.caller.get("/bookings")
        patience = max(A_SECOND, BUSY * (time.perf_counter() - asked))
        until(lambda: self.shows(start, status), within=patience, describe=f"the feed shows {start} {status}")


def local(start: str) -> str:
    return datetime.fromisoformat(start).astimezone(ZoneInfo("Europe/Brussels")).isoformat()


def test_a_booking_a_move_and_a_cancellation_are_on_the_phone_within_a_second(serving: Web, database_url: str):
    town = a_town(database_url, members=1)
    first, second = town.wishes(2)
    with Caller(serving.port, town.tokens[0]) as caller:
        phone = Phone(caller)
        booked = caller.post("/bookings", first.body)
        phone.until_shown(local(first.body["start"]), "CONFIRMED")
        address = f"/bookings/{booked.json['id']}"
        moved = caller.patch(address, {"start": second.body["start"]}, etag=booked.headers["etag"])
        phone.until_shown(local(second.body["start"]), "CONFIRMED")
        assert caller.delete(address, etag=moved.headers["etag"]).status == 200
        phone.until_shown(local(second.body["start"]), "CANCELLED")
