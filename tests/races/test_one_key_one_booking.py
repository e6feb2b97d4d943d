"""The same request twice at the same moment, as an impatient client sends it: one booking, one answer."""

from __future__ import annotations

import uuid
from datetime import timedelta

from tests.races.arena import Arena
from tests.running import Caller

ROUNDS = 5
PAIRS = 10


def test_the_same_request_twice_at_once_books_once_and_is_answered_alike_ever_after(arena):
    with_two_lines = [(caller, Caller(arena.web.port, caller.token).open()) for caller in arena.callers[:PAIRS]]
    try:
        for _ in range(ROUNDS):
            book_twice_at_once(arena, with_two_lines)
    finally:
        for _, second in with_two_lines:
            second.connection.close()


def book_twice_at_once(arena: Arena, pairs: list[tuple[Caller, Caller]]) -> None:
    """Ten members, each with a wish that conflicts with nobody's, each sending it on two connections."""
    days = [arena.next_day() for _ in pairs]
    requests = []
    for day, pair in zip(days, pairs, strict=True):
        key = str(uuid.uuid4())
        period = day + timedelta(hours=10), day + timedelta(hours=11)
        requests += [arena.book(caller, arena.room_a, *period, key=key) for caller in pair]
    answers = arena.race(requests)
    for n, day in enumerate(days):
        first, second = answers[2 * n : 2 * n + 2]
        assert len(arena.stays(day)) == 1
        booked = [answer for answer in (first, second) if answer.status == 201]
        late = [answer for answer in (first, second) if answer.status != 201]
        assert booked and all(answer.code == "request_in_flight" for answer in late)
        again = requests[2 * n].send()
        assert (again.status, again.headers.get("idempotent-replayed")) == (201, "true")
        assert {again.content, *(answer.content for answer in booked)} == {again.content}
        assert len(arena.stays(day)) == 1
