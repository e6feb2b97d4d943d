"""50 members want the last places at the same moment: as many get one as there are, and everybody hears the truth."""

from __future__ import annotations

import random

import pytest

from tests.races.verdicts import (
    any_time,
    around_noon,
    assert_alternatives_work,
    assert_nobody_was_refused_in_vain,
    assert_told_the_truth,
    sorted_out,
    wishes,
)

pytestmark = pytest.mark.slow
ROUNDS = 20
FEWER = 5


def test_exactly_as_many_get_a_desk_as_are_left(arena):
    chance = random.Random(1)
    pool = arena.places[arena.desks].units
    for round_ in range(ROUNDS):
        day, left = arena.next_day(), 1 + round_ % 4
        arena.take_away(pool[left:], day)
        requests = wishes(arena, day, around_noon, chance)
        answers = arena.race(requests)
        booked, refused = sorted_out(requests, answers)
        assert len(booked) == left
        assert len(refused) == len(requests) - left
        assert_told_the_truth(arena, day, booked)
        assert all(1 <= len(answer.json["alternatives"]) <= 3 for answer in answers if answer.status == 409)
        loser, told = next(pair for pair in zip(arena.callers, answers, strict=True) if pair[1].status == 409)
        assert_alternatives_work(arena, loser, told)


def test_of_periods_that_overlap_here_and_there_the_places_fill_up_without_a_gap(arena):
    chance = random.Random(2)
    for _ in range(FEWER):
        day = arena.next_day()
        arena.take_away(arena.places[arena.desks].units[3:], day)
        requests = wishes(arena, day, any_time, chance)
        booked, refused = sorted_out(requests, arena.race(requests))
        assert booked and refused
        assert_told_the_truth(arena, day, booked)
        assert_nobody_was_refused_in_vain(arena, day, refused)
        again = refused[0].send()  # nobody races any more: what is offered now stays free
        assert_alternatives_work(arena, refused[0].caller, again)


def test_two_rooms_and_the_two_opened_into_one_never_clash(arena):
    chance = random.Random(3)
    for _ in range(FEWER):
        day = arena.next_day()
        requests = wishes(arena, day, any_time, chance, arena.room_a, arena.room_b, arena.both)
        booked, refused = sorted_out(requests, arena.race(requests))
        assert booked and refused
        assert_told_the_truth(arena, day, booked)
        assert_nobody_was_refused_in_vain(arena, day, refused)
        again = refused[0].send()
        assert_alternatives_work(arena, refused[0].caller, again)
