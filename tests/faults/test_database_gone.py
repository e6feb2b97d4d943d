"""The database stops, or is killed: people are told to come back, nothing is half done, and all heals by itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from app.embedded import EmbeddedPostgres
from app.embedded.postmaster import PidFile
from tests.faults.town import Customers, a_town
from tests.running import Answer, Caller, Web, web
from tests.waiting import until

pytestmark = pytest.mark.slow


def assert_come_back_later(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.code == "unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.seconds < 6


def processes(serving: Web) -> set[tuple[int, float]]:
    return {(pid, psutil.Process(pid).create_time()) for pid in [serving.pid, *serving.children()]}


def test_without_a_database_everybody_is_told_to_come_back_and_later_it_works_again(
    own_server: EmbeddedPostgres, tmp_path: Path
):
    town = a_town(own_server.url(), members=1)
    first, second = town.wishes(2)
    with web(own_server.url(), home=tmp_path) as serving, Caller(serving.port, town.tokens[0]) as caller:
        booked = [caller.post("/bookings", first.body, key=first.key)]
        until(lambda: len(serving.children()) == 2, within=30, describe="both web processes are there")
        before = processes(serving)
        own_server.stop()
        for _ in range(3):
            assert_come_back_later(caller.post("/bookings", second.body, key=second.key))
            assert_come_back_later(caller.get("/bookings"))
        assert_come_back_later(caller.get("/readyz"))
        assert caller.get("/healthz").status == 200
        own_server.start()
        booked.append(caller.persist("POST", "/bookings", second.body, key=second.key, within=10))
        assert [answer.status for answer in booked] == [201, 201]
        assert caller.get("/readyz").status == 200
        assert processes(serving) == before
        town.assert_every_booking_stands_once([answer.json["id"] for answer in booked])


def test_a_database_killed_while_members_book_keeps_every_booking_whole(own_server: EmbeddedPostgres, tmp_path: Path):
    town = a_town(own_server.url(), members=5)
    with web(own_server.url(), home=tmp_path) as serving, Customers(serving.port, town, each=30) as customers:
        for answered in (30, 90):
            customers.until_answered(answered)
            kill_minus_nine(own_server)
            own_server.start()
        booked = [uid for theirs in customers.booked() for uid in theirs]
        town.assert_every_booking_stands_once(booked)
        assert len(booked) == 150


def kill_minus_nine(postgres: EmbeddedPostgres) -> None:
    file = PidFile.read(postgres.data)
    assert file is not None
    os.kill(file.pid, signal.SIGKILL)
    until(lambda: postgres.poll() is not None, describe="the database is dead")
    postgres.stop()
