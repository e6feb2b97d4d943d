"""Moves and cancellations in the middle of a race: nobody loses what they had, nobody shares a place."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from tests.races.arena import OUTSIDE, Arena, Request
from tests.races.judge import Stay, double_bookings, has_room, stays_of
from tests.races.verdicts import any_time, wanted, wishes
from tests.running import Answer, Caller

pytestmark = pytest.mark.slow
ROUNDS = 20
FEWER = 5
OWNERS = 16  # of the 50; half of them move, half of them cancel


class Owned:
    """A booking somebody has, with what is needed to change it."""

    def __init__(self, caller: Caller, answer: Answer) -> None:
        assert answer.status == 201, answer.content
        self.caller, self.booking, self.etag = caller, answer.json, answer.headers["etag"]

    def move(self, resource: str, start: datetime, end: datetime) -> Request:
        body = {"resource_id": resource, "start": start.isoformat(), "end": end.isoformat()}
        return Request(self.caller, "PATCH", f"/bookings/{self.booking['id']}", body, etag=self.etag)

    def cancel(self) -> Request:
        return Request(self.caller, "DELETE", f"/bookings/{self.booking['id']}", etag=self.etag)


def booked_before(arena: Arena, requests: Sequence[Request]) -> list[Owned]:
    """Bookings made at leisure, one after the other; whoever finds the place taken has none."""
    answers = [(request.caller, request.send()) for request in requests]
    return [Owned(caller, answer) for caller, answer in answers if answer.status == 201]


def changes(arena: Arena, owned: Sequence[Owned], day: datetime, chance: random.Random) -> list[Request]:
    movers, leavers = owned[::2], owned[1::2]
    moves = [one.move(chance.choice(list(arena.places)), *any_time(day, chance)) for one in movers]
    return moves + [one.cancel() for one in leavers]


def left_standing(owned: Sequence[Owned], requests: Sequence[Request], answers: Sequence[Answer]) -> list[Stay]:
    """Who is where after the race, going by the answers alone."""
    now = {one.booking["id"]: one.booking for one in owned}
    for request, answer in zip(requests, answers, strict=True):
        if answer.status in (200, 201):
            now[answer.json["id"]] = answer.json
        else:
            assert answer.code == "slot_taken", answer.content
            assert request.method != "DELETE"
    return [stay for booking in now.values() if booking["status"] != "cancelled" for stay in stays_of(booking)]


def test_moves_and_cancellations_among_the_bookings_leave_everybody_with_what_they_were_told(arena):
    chance = random.Random(4)
    for _ in range(ROUNDS):
        day = arena.next_day()
        arena.take_away(arena.places[arena.desks].units[2:], day)
        everywhere = wishes(arena, day, any_time, chance, *arena.places)
        owned = booked_before(arena, everywhere[:OWNERS])
        before = arena.stays(day)
        requests = [*everywhere[OWNERS:], *changes(arena, owned, day, chance)]
        answers = arena.race(requests)
        after = arena.stays(day)
        assert double_bookings(after) == []
        told = left_standing(owned, requests, answers)
        assert set(told) <= set(after)
        assert len(after) - len(told) == len([stay for stay in before if stay.start == day])
        refused = [request for request, answer in zip(requests, answers, strict=True) if answer.status == 409]
        for request in refused:  # every place was taken by somebody, before the race or after it
            resource, start, end = wanted(request)
            assert not has_room(arena.places[resource], start, end, [*before, *after]), request.body


def test_two_who_want_to_swap_rooms_are_both_refused_and_both_stay(arena):
    for _ in range(FEWER):
        day = arena.next_day()
        period = day + timedelta(hours=10), day + timedelta(hours=12)
        one, other = booked_before(
            arena,
            [
                arena.book(arena.callers[0], arena.room_a, *period),
                arena.book(arena.callers[1], arena.room_b, *period),
            ],
        )
        before = arena.stays(day)
        answers = arena.race([one.move(arena.room_b, *period), other.move(arena.room_a, *period)])
        assert [answer.code for answer in answers] == ["slot_taken", "slot_taken"]
        assert sorted(arena.stays(day), key=str) == sorted(before, key=str)
        again = [owned.caller.get(f"/bookings/{owned.booking['id']}") for owned in (one, other)]
        assert [answer.headers["etag"] for answer in again] == [one.etag, other.etag]


def test_of_members_who_follow_each_other_around_each_ends_where_they_were_told(arena):
    """A to B, B to C, C to A, at times that overlap here and there, while others want all three."""
    chance = random.Random(5)
    for _ in range(FEWER):
        day = arena.next_day()
        arena.take_away(arena.places[arena.desks].units[1:], day)
        rooms = [arena.room_a, arena.room_b, arena.desks]
        requests = [
            arena.book(caller, room, *any_time(day, chance)) for caller, room in zip(arena.callers, rooms, strict=False)
        ]
        owned = booked_before(arena, requests)
        starts = [datetime.fromisoformat(one.booking["start"]) for one in owned]
        ends = [datetime.fromisoformat(one.booking["end"]) for one in owned]
        moves = [one.move(rooms[(n + 1) % 3], starts[n], ends[n]) for n, one in enumerate(owned)]
        others = wishes(arena, day, any_time, chance, arena.both, *rooms)[3:15]
        racing = [*moves, *others]
        answers = arena.race(racing)
        after = [stay for stay in arena.stays(day) if stay.start != day]
        assert double_bookings(after) == []
        assert sorted(left_standing(owned, racing, answers), key=str) == sorted(after, key=str)


def test_a_space_that_closes_while_members_book_is_empty_and_everybody_knows(arena):
    """The manager closes the day in the middle of it all; whoever was told "booked" by then is told of the closure."""
    chance = random.Random(7)
    for _ in range(FEWER):
        day = arena.next_day()
        early = booked_before(arena, wishes(arena, day, any_time, chance, *arena.places)[:OWNERS])
        late = wishes(arena, day, any_time, chance, *arena.places)[OWNERS:]
        closure = {"start": day.isoformat(), "end": (day + timedelta(days=1)).isoformat()}
        close = Request(arena.manager, "POST", f"/spaces/{arena.space}/closures", closure)
        closed, *answers = arena.race([close, *late])
        closed = closed if closed.status == 201 else close.send()  # bookings kept coming in: asked again
        assert closed.status == 201, closed.content
        assert {stay.booking for stay in arena.stays(day)} == {OUTSIDE}
        booked = [answer.json["id"] for answer in answers if answer.status == 201]
        assert all(answer.status == 201 or answer.code == "slot_taken" for answer in answers)
        displaced = [each["booking"] for each in closed.json["displaced"]]
        assert sorted(booking["id"] for booking in displaced) == sorted(
            [*booked, *(one.booking["id"] for one in early)]
        )
        assert {(booking["status"], booking["reason"]) for booking in displaced} == {("cancelled", "closure")}
