"""kill -9 of `passerelle up` itself: started again, it goes on where it was."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.embedded import running_url
from app.up import answers
from tests.faults.town import Town, a_town, in_feed, open_feed
from tests.running import Caller, Process, free_port, passerelle
from tests.waiting import until

pytestmark = pytest.mark.slow
PATIENCE = 90.0  # a first start makes the database


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="passerelle-up-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def up(process: Process, port: int) -> None:
    process.start()
    until(lambda: process.has_ended or answers(port, "/readyz"), within=PATIENCE, describe="everything is up")
    assert not process.has_ended, process.log[-3000:]


def everything_of(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_killed_and_started_again_it_has_every_booking_and_tells_what_was_not_told(home: Path):
    port = free_port()
    process = passerelle("up", home=home, port=port)
    try:
        up(process, port)
        town = a_town(str(running_url(home)), members=1)
        wishes = town.wishes(8)
        with Caller(port, town.tokens[0]) as caller:
            feed = open_feed(caller)
            booked = [caller.post("/bookings", wish.body, key=wish.key).json["id"] for wish in wishes[:7]]
            children = everything_of(process)
            process.kill()
            up(process, port)  # at once, as whoever supervises it would
            until(lambda: not any(child.is_running() for child in children), within=30, describe="no child survives")
            again = caller.persist("POST", "/bookings", wishes[6].body, key=wishes[6].key)
            assert (again.json["id"], again.headers["idempotent-replayed"]) == (booked[6], "true")
            booked.append(caller.persist("POST", "/bookings", wishes[7].body, key=wishes[7].key).json["id"])
            until(lambda: in_feed(caller, feed) == sorted(booked), within=30, describe="the feed shows all of them")
            after = Town(str(running_url(home)), town.pool, town.tokens, town.monday)
            after.assert_every_booking_stands_once(booked)
    finally:
        process.stop()
