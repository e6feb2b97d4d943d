"""What races are made of, and what must be true when one is over."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tests.races.arena import OUTSIDE, Arena, Request
from tests.races.judge import double_bookings, has_room, stays_of
from tests.running import Answer, Caller

QUARTER = timedelta(minutes=15)
Period = Callable[[datetime, random.Random], tuple[datetime, datetime]]


def around_noon(day: datetime, chance: random.Random) -> tuple[datetime, datetime]:
    """Half of all wishes are 10 to 14 o'clock, the others begin and end elsewhere; all of them contain noon."""
    if chance.random() < 0.5:
        return day + timedelta(hours=10), day + timedelta(hours=14)
    start = day + timedelta(hours=9) + chance.randrange(12) * QUARTER
    return start, day + timedelta(hours=12, minutes=15) + chance.randrange(12) * QUARTER


def any_time(day: datetime, chance: random.Random) -> tuple[datetime, datetime]:
    """Between 9 and 16 o'clock, half an hour to two hours and a half: some conflict, some do not."""
    start = day + timedelta(hours=9) + chance.randrange(18) * QUARTER
    return start, start + (2 + chance.randrange(9)) * QUARTER


def wishes(arena: Arena, day: datetime, period: Period, chance: random.Random, *resources: str) -> list[Request]:
    return [
        arena.book(caller, chance.choice(resources or (arena.desks,)), *period(day, chance)) for caller in arena.callers
    ]


def sorted_out(requests: Sequence[Request], answers: Sequence[Answer]) -> tuple[list[Answer], list[Request]]:
    """Who was told "booked", and who was refused because it is taken; nothing else is an answer to a race."""
    other = [answer for answer in answers if answer.status != 201 and answer.code != "slot_taken"]
    assert not other, [(answer.status, answer.content[:300]) for answer in other[:3]]
    refused = [request for request, answer in zip(requests, answers, strict=True) if answer.status == 409]
    return [answer for answer in answers if answer.status == 201], refused


def wanted(request: Request) -> tuple[str, datetime, datetime]:
    return request.body["resource_id"], *(datetime.fromisoformat(request.body[name]) for name in ("start", "end"))


def assert_told_the_truth(arena: Arena, day: datetime, booked: Sequence[Answer]) -> None:
    """What people were told is what the database holds, and nobody shares a place."""
    told = [stay for answer in booked for stay in stays_of(answer.json)]
    held = [stay for stay in arena.stays(day) if stay.booking != OUTSIDE]
    assert sorted(told, key=str) == sorted(held, key=str)
    assert double_bookings(arena.stays(day)) == []


def assert_nobody_was_refused_in_vain(arena: Arena, day: datetime, refused: Sequence[Request]) -> None:
    stays = arena.stays(day)
    for request in refused:
        resource, start, end = wanted(request)
        assert not has_room(arena.places[resource], start, end, stays), request.body


def assert_alternatives_work(arena: Arena, caller: Caller, answer: Answer) -> None:
    """The first alternative that a refused member was given can be booked as it stands (and makes room again)."""
    booked = caller.post("/bookings", answer.json["alternatives"][0])
    assert booked.status == 201, booked.content
    cancelled = caller.delete(booked.headers["location"].removeprefix("/api/v1"), etag=booked.headers["etag"])
    assert cancelled.status == 200, cancelled.content
