"""Where races are run: a space on a real database, eight web workers, members standing behind a barrier."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
from sqlalchemy.orm import Session

from app.booking.models import Resource, Unit
from tests.builders import a_manager, a_member, a_resource, a_room, a_space, a_token, a_unit
from tests.races.judge import Place, Stay
from tests.running import Answer, Caller, Web

LONGEST = 2.0  # seconds that nobody waits longer than, whoever else is asking
RATIO = 8  # of the wait for an answer that needs no lock, where that is more
RACERS = 50
DESKS = 6
OUTSIDE = "no booking"
START_AFTER = 30.0  # seconds until everybody stands at the barrier

_STAYS = """
    SELECT b.uid::text, u.uid::text, lower(o.period), upper(o.period)
    FROM occupancy o JOIN unit u ON u.id = o.unit_id LEFT JOIN booking b ON b.id = o.booking_id
    WHERE u.uid = ANY(%(units)s::uuid[]) AND o.period && tstzrange(%(start)s, %(end)s)
"""
_TAKE_AWAY = """
    INSERT INTO occupancy (unit_id, period, kind)
    SELECT id, tstzrange(%(start)s, %(end)s), 'external' FROM unit WHERE uid = %(unit)s::uuid
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Request:
    """What one racer sends when the barrier opens."""

    caller: Caller
    method: str
    path: str
    body: Any = None
    key: str | None = None
    etag: str | None = None

    def send(self) -> Answer:
        return self.caller.call(self.method, self.path, self.body, key=self.key, etag=self.etag)


def race(requests: Sequence[Request]) -> list[Answer]:
    """Send all requests at the same moment, each on a connection that is open already; the answers in their order."""
    barrier = threading.Barrier(len(requests))

    def run(request: Request) -> Answer:
        barrier.wait(START_AFTER)
        return request.send()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(run, requests))


@dataclass
class Arena:
    """One space with a pool of desks and two rooms that open into one; 50 members with open connections."""

    web: Web
    database_url: str
    space: str
    manager: Caller
    desks: str
    room_a: str
    room_b: str
    both: str
    places: dict[str, Place]
    callers: list[Caller]
    first_day: datetime
    days: int = 0

    def next_day(self) -> datetime:
        """Midnight (UTC) of a day nothing is booked on yet."""
        self.days += 1
        return self.first_day + timedelta(days=self.days)

    def book(self, caller: Caller, resource: str, start: datetime, end: datetime, *, key: str = "") -> Request:
        body = {"resource_id": resource, "start": start.isoformat(), "end": end.isoformat()}
        return Request(caller, "POST", "/bookings", body, key or str(uuid.uuid4()))

    def race(self, requests: Sequence[Request]) -> list[Answer]:
        """Run the race and hold every answer to what holds for all: no server error, no member waits too long."""
        answers = race(requests)
        faults = [(answer.status, answer.content[:300]) for answer in answers if answer.status >= 500]
        assert not faults, faults
        waits = [
            answer.seconds
            for request, answer in zip(requests, answers, strict=True)
            if request.path.startswith("/bookings")  # closing a space is a manager's, and does the work of many
        ]
        self.judge_waits(max(waits))
        return answers

    def judge_waits(self, slowest: float) -> None:
        """Nobody waits longer than LONGEST; on a machine busy with other things, than RATIO of a wait without a race.

        Waiting for each other's locks would be many times that.
        """
        if slowest > LONGEST:
            quiet = self.quiet_wait()
            assert slowest <= RATIO * quiet, f"somebody waited {slowest:.2f} s, against {quiet:.2f} s in quiet"

    def quiet_wait(self) -> float:
        """How long the last of all waits when everybody asks at once for what nobody has to wait for: a quote."""
        day = self.next_day()
        wishes = [self.book(caller, self.desks, *_morning(day)).body for caller in self.callers]
        answers = race(
            [Request(caller, "POST", "/quotes", wish) for caller, wish in zip(self.callers, wishes, strict=True)]
        )
        assert {answer.status for answer in answers} == {200}, answers[0].content
        return max(answer.seconds for answer in answers)

    def take_away(self, units: Iterable[str], day: datetime) -> None:
        """Occupy units for a whole day, as a calendar from outside would."""
        with psycopg.connect(self.database_url) as connection:
            for unit in units:
                connection.execute(_TAKE_AWAY, {"unit": unit, "start": day, "end": day + timedelta(days=1)})

    def stays(self, day: datetime) -> list[Stay]:
        """What the database says is occupied on that day."""
        units = sorted({unit for place in self.places.values() for unit in place.units})
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(_STAYS, {"start": day, "end": day + timedelta(days=1), "units": units})
            return [
                Stay(booking or OUTSIDE, unit, start.astimezone(UTC), end.astimezone(UTC))
                for booking, unit, start, end in rows
            ]


def deadlocks(database_url: str) -> int:
    """How many deadlocks PostgreSQL has had to break in this database (40P01). One retry hides them from callers."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(_DEADLOCKS).fetchone()
        assert row is not None
        return int(row[0])


def an_arena(session: Session, database_url: str, web: Web, stack: ExitStack, *, racers: int = RACERS) -> Arena:
    space = a_space(session)
    pool_units = [a_unit(session, space) for _ in range(DESKS)]
    pool = a_resource(session, space, kind="desk_pool", units=pool_units)
    walls = [a_unit(session, space), a_unit(session, space)]
    rooms = [a_room(session, space, unit=wall) for wall in walls]
    both = a_resource(session, space, kind="room", units=walls, takes="all", capacity=16)
    tokens = [a_token(session, a_member(session)) for _ in range(racers)]
    managers = a_token(session, a_manager(session, space))
    session.commit()
    places = {
        str(pool.uid): _place(pool, pool_units),
        **{str(room.uid): _place(room, [wall]) for room, wall in zip(rooms, walls, strict=True)},
        str(both.uid): _place(both, walls),
    }
    arena = Arena(
        web=web,
        database_url=database_url,
        space=str(space.uid),
        manager=stack.enter_context(Caller(web.port, managers)).open(),
        desks=str(pool.uid),
        room_a=str(rooms[0].uid),
        room_b=str(rooms[1].uid),
        both=str(both.uid),
        places=places,
        callers=[stack.enter_context(Caller(web.port, token)).open() for token in tokens],
        first_day=datetime.combine(datetime.now(UTC).date(), time(), tzinfo=UTC) + timedelta(days=7),
    )
    arena.quiet_wait()  # and every worker has answered before: this is about races, not about starting
    return arena


def _morning(day: datetime) -> tuple[datetime, datetime]:
    return day + timedelta(hours=9), day + timedelta(hours=10)


def _place(resource: Resource, units: Sequence[Unit]) -> Place:
    return Place(tuple(str(unit.uid) for unit in units), resource.takes)
