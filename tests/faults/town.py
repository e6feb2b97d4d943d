"""A town to break things in: members who book without pause, and what must be true when all is quiet again."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from icalendar import Calendar

from app.db import make_engine, sessions
from app.tenancy import SYSTEM
from tests.builders import a_member, a_pool, a_space, a_token
from tests.running import Answer, Caller
from tests.waiting import until

# One row per booking: how often it stands in each of the places that a booking stands in.
_TRACES = """
    SELECT b.uid::text,
        (SELECT count(*) FROM occupancy o WHERE o.booking_id = b.id),
        (SELECT count(*) FROM outbox e WHERE e.aggregate_id = b.uid AND e.seq = 1),
        (SELECT count(*) FROM idempotent_answer a WHERE a.body LIKE '%' || b.uid::text || '%'),
        (SELECT count(*) FROM due d WHERE d.subject_id = b.id AND d.kind = 'booking.next')
    FROM booking b
"""
_ORPHANS = """
    SELECT (SELECT count(*) FROM occupancy o WHERE NOT EXISTS (SELECT FROM booking b WHERE b.id = o.booking_id)),
           (SELECT count(*) FROM outbox e WHERE NOT EXISTS (SELECT FROM booking b WHERE b.uid = e.aggregate_id))
"""
_FRAGMENTS = "SELECT booking_uid::text FROM calendar_fragment"
_RECEIPTS = "SELECT event_id::text, state FROM delivery WHERE consumer = 'calendar'"


@dataclass(frozen=True, slots=True)
class Wish:
    body: dict[str, Any]
    key: str


@dataclass
class Town:
    """A pool with a desk for everybody: whoever is refused was refused wrongly."""

    database_url: str
    pool: str
    tokens: list[str]
    monday: datetime

    def wishes(self, count: int) -> list[Wish]:
        """An hour at ten on each of the next days."""
        return [self._wish(self.monday + timedelta(days=n, hours=10)) for n in range(count)]

    def _wish(self, start: datetime) -> Wish:
        body = {
            "resource_id": self.pool,
            "start": start.isoformat(),
            "end": (start + timedelta(hours=1)).isoformat(),
        }
        return Wish(body, str(uuid.uuid4()))

    def rows(self, sql: str) -> list[Any]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql.replace("'%'", "'%%'"), []).fetchall()

    def assert_every_booking_stands_once(self, booked: Sequence[str]) -> None:
        """Each that was answered 201 is there, whole, once; and no other, no half of one."""
        assert len(booked) == len(set(booked)), "two requests were answered with the same booking"
        traces = {uid: tuple(counts) for uid, *counts in self.rows(_TRACES)}
        assert set(traces) == set(booked)
        assert Counter(traces.values()) == {(1, 1, 1, 1): len(booked)}
        assert self.rows(_ORPHANS) == [(0, 0)]

    def assert_the_calendar_has_each_once(self, booked: Sequence[str], *, within: float = 30.0) -> None:
        """Every booking reaches its calendar, by one receipt each."""
        until(
            lambda: len(self.rows(_FRAGMENTS)) >= len(booked), within=within, every=0.1,
            describe=f"{len(booked)} bookings are in the calendar",
        )  # fmt: skip
        assert sorted(uid for (uid,) in self.rows(_FRAGMENTS)) == sorted(booked)
        until(lambda: len(self.rows(_RECEIPTS)) >= len(booked), every=0.1, describe="every receipt is written")
        assert Counter(state for _, state in self.rows(_RECEIPTS)) == {"done": len(booked)}


def a_town(database_url: str, *, members: int) -> Town:
    with ExitStack() as stack:
        engine = make_engine(database_url, pool_size=1)
        stack.callback(engine.dispose)
        session = stack.enter_context(sessions(engine)())
        session.info["scope"] = SYSTEM
        pool = a_pool(session, a_space(session), desks=members)
        tokens = [a_token(session, a_member(session)) for _ in range(members)]
        session.commit()
        midnight = datetime.combine(datetime.now(UTC).date(), time(), tzinfo=UTC)
        return Town(database_url, str(pool.uid), tokens, midnight + timedelta(days=3))


def open_feed(caller: Caller) -> str:
    """The path of a new subscription to the caller's own bookings."""
    opened = caller.post("/feeds", {"scope": "me", "name": "Phone"})
    assert opened.status == 201, opened.content
    return urlsplit(opened.json["url"]).path


def in_feed(caller: Caller, path: str) -> list[str]:
    """The ids of the bookings that a feed shows, in order, as often as it shows them."""
    answer = caller.get(path)
    assert answer.status == 200, answer.content
    found = Calendar.from_ical(answer.content).walk("VEVENT")
    return sorted(str(event["UID"]).partition("@")[0] for event in found)


class Customers:
    """Members who book one thing after the other, each on a connection, repeating what was not answered."""

    def __init__(self, port: int, town: Town, *, each: int) -> None:
        self.port, self.town = port, town
        self.wishes = [town.wishes(each) for _ in town.tokens]
        self.answered = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(len(town.tokens))
        self._futures: list[Future[list[Answer]]] = []

    def __enter__(self) -> Self:
        self._futures = [
            self._threads.submit(self._book, token, wishes)
            for token, wishes in zip(self.town.tokens, self.wishes, strict=True)
        ]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    def until_answered(self, count: int) -> None:
        until(lambda: self.answered >= count, within=120, describe=f"{count} bookings are answered")

    def booked(self) -> list[list[str]]:
        """The ids of each member's bookings, once all are made."""
        everything = [future.result(timeout=120) for future in self._futures]
        refused = [answer.content for answers in everything for answer in answers if answer.status != 201]
        assert not refused, refused[:3]
        return [[answer.json["id"] for answer in answers] for answers in everything]

    def _book(self, token: str, wishes: Sequence[Wish]) -> list[Answer]:
        answers = []
        with Caller(self.port, token) as caller:
            for wish in wishes:
                answers.append(caller.persist("POST", "/bookings", wish.body, key=wish.key))
                with self._lock:
                    self.answered += 1
        return answers
