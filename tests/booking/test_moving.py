"""Moving a booking: to another time, another place, or not at all, and then it stays exactly as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.errors import Invalid, NotAllowed, NotFound, Problem, Refused, SlotTaken, WrongState
from tests.booking.house import House, at
from tests.builders import a_membership, a_resource, a_room, a_space, a_unit

TERMS = [[24, 0], [0, 100]]


def test_a_booking_moves_and_everybody_is_told_from_where_to_where(house: House) -> None:
    room, member = house.room(), house.member()
    made = house.book(member, room, at(9), at(11))
    moved = house.move(made, by=member, start=at(14))
    assert (moved.starts_at, moved.ends_at, moved.revision, moved.gross_cents) == (at(14), at(16), 1, 1210)
    assert [(start, end) for _, start, end in house.occupied()] == [(at(14), at(16))]
    _, name, data = house.told(moved.uid)[-1]
    assert (name, data["previous_start"], data["start"]) == (
        "booking.moved", "2026-03-03T08:00:00Z", "2026-03-03T13:00:00Z",
    )  # fmt: skip
    house.book(house.member(), room, at(9), at(11))


def test_it_may_overlap_its_own_period_and_keeps_its_unit(house: House) -> None:
    pool, member = house.pool(desks=3), house.member()
    made = house.book(member, pool, at(9), at(11))
    moved = house.move(made, by=member, start=at(10), end=at(13))
    assert moved.unit_ids == made.row["unit_ids"]
    assert [(start, end) for _, start, end in house.occupied()] == [(at(10), at(13))]
    assert moved.gross_cents == 1815


def test_a_desk_taken_meanwhile_gives_way_to_another(house: House) -> None:
    pool, member = house.pool(desks=2), house.member()
    made = house.book(member, pool, at(9), at(11))
    rival = house.book(house.member(), pool, at(11), at(13))
    assert rival.row["unit_ids"] == made.row["unit_ids"]
    moved = house.move(made, by=member, start=at(10))
    assert moved.unit_ids != rival.row["unit_ids"]


@pytest.mark.parametrize(("change", "problem"), [
    ({"start": at(13)}, SlotTaken), ({"start": at(17)}, Refused), ({"end": at(16)}, Refused),
    ({"end": at(8.5)}, Invalid), ({"start": at(11), "end": at(9)}, Invalid), ({"start": at(9, day=-3)}, Refused),
])  # fmt: skip
def test_a_move_refused_leaves_everything_as_it_was(house: House, change: dict[str, Any], problem: type) -> None:
    room, member = house.room(rules={"max_minutes": 240}), house.member()
    with house.building() as session:
        a_membership(session, member, house.space, included={"room": 60})
    house.book(house.member(), room, at(14), at(15))
    made = house.book(member, room, at(9), at(11), title="Planning")
    before = house.snapshot(made)
    with pytest.raises(problem) as refused:
        house.move(made, by=member, **change)
    assert house.snapshot(made) == before
    if isinstance(refused.value, Refused | SlotTaken):
        assert refused.value.facts["alternatives"]
        for each in refused.value.facts["alternatives"]:
            wanted = {name: _instant(each[name]) for name in ("start", "end")}
            house.move(made, by=member, keep=False, **wanted)


def _instant(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_credits_go_back_and_are_drawn_again_in_the_new_cycle(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 90})
    april = at(0).date().replace(month=4, day=1)
    made = house.book(member, room, at(9), at(11))
    assert (house.credit(membership, "room"), house.credit(membership, "room", cycle=april)) == (0, 90)
    house.move(made, by=member, start=at(9, day=31), end=at(10, day=31))
    assert (house.credit(membership, "room"), house.credit(membership, "room", cycle=april)) == (90, 30)
    house.move(made, by=member, start=at(9), end=at(10))
    assert (house.credit(membership, "room"), house.credit(membership, "room", cycle=april)) == (30, 90)
    house.cancel(made, by=member)
    assert (house.credit(membership, "room"), house.credit(membership, "room", cycle=april)) == (90, 90)


def test_its_own_minutes_do_not_count_against_the_quota(house: House) -> None:
    room, member = house.room(rules={"quota_day_minutes": 120}), house.member()
    made = house.book(member, room, at(9), at(11))
    assert house.move(made, by=member, start=at(10)).starts_at == at(10)
    with pytest.raises(Refused):
        house.move(made, by=member, end=at(12.25))


def test_moving_late_is_no_way_around_the_fee(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 30})
    made = house.book(member, room, at(9), at(11))
    house.now = at(8)
    house.move(made, by=member, start=at(9, day=20), end=at(9.5, day=20))  # shorter, cheaper, and far away
    money = made.row["cover"][1]["amount"]["amount_cents"]
    assert (house.cancel(made, by=member).fee_cents, money) == (907, 907)  # of the two hours, not of the half
    assert house.credit(membership, "room") == 0


def test_moving_late_to_where_approval_is_needed_is_no_way_around_either(house: House) -> None:
    member = house.member()
    with house.building() as session:
        room = a_room(session, house.space, rules={"cancellation": TERMS})
        asking = a_room(session, house.space, rules={"cancellation": TERMS, "approval": True})
    made = house.book(member, room, at(9), at(11))
    house.now = at(8)
    assert house.move(made, by=member, resource_id=asking.uid, start=at(9, day=20)).status == "pending"
    house.move(made, by=member, start=at(10, day=20))
    assert house.cancel(made, by=member).fee_cents == 1210


def test_moving_in_time_stays_free(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    made = house.book(member, room, at(9, day=5), at(11, day=5))
    house.move(made, by=member, start=at(9, day=6))
    assert house.cancel(made, by=member).fee_cents == 0


def test_approval_is_asked_again_and_only_where_it_is_needed(house: House) -> None:
    member = house.member()
    with house.building() as session:
        open_room, asking = a_room(session, house.space), a_room(session, house.space, rules={"approval": True})
    made = house.book(member, asking, at(9), at(11))
    assert house.move(made, by=member, resource_id=open_room.uid).status == "confirmed"
    assert house.move(made, by=member, resource_id=asking.uid).status == "pending"
    assert house.move(made, by=house.manager, start=at(12)).status == "pending"  # moved, not yet approved
    house.approve(made, by=house.manager)
    assert house.move(made, by=house.manager, start=at(13)).status == "confirmed"
    moved = house.move(made, by=member, start=at(14))
    assert moved.status == "pending"
    told = [data["status"] for _, name, data in house.told(moved.uid) if name == "booking.moved"]
    assert told == ["confirmed", "pending", "pending", "confirmed", "pending"]
    house.time_passes(at(14))
    assert house.booking(made).reason == "expired"


def test_extras_come_along_or_nobody_moves(house: House) -> None:
    member = house.member()
    with house.building() as session:
        room, other = a_room(session, house.space), a_room(session, house.space)
        beamer = a_unit(session, house.space)
        projector = a_resource(session, house.space, kind="equipment", units=[beamer])
    made = house.book(member, room, at(9), at(11), extras=(projector.uid,))
    house.book(member, other, at(12), at(13), extras=(projector.uid,))
    with pytest.raises(SlotTaken) as taken:
        house.move(made, by=member, start=at(11))
    for each in taken.value.facts["alternatives"]:
        house.move(made, by=member, keep=False, start=_instant(each["start"]), end=_instant(each["end"]))
    house.move(made, by=member, start=at(9.5), resource_id=other.uid)
    assert beamer.id in [unit for unit, _, _ in house.occupied(made)]
    assert {(start, end) for _, start, end in house.occupied(made)} == {(at(9.5), at(11.5))}


def test_a_combination_moves_as_a_whole(house: House) -> None:
    member = house.member()
    with house.building() as session:
        walls = [a_unit(session, house.space) for _ in range(2)]
        both = a_resource(session, house.space, kind="room", units=walls, takes="all", capacity=16)
        alone = a_room(session, house.space, unit=walls[1])
    made = house.book(member, both, at(9), at(11))
    house.book(member, alone, at(12), at(13))
    with pytest.raises(SlotTaken):
        house.move(made, by=member, start=at(11))
    house.move(made, by=member, start=at(10))
    assert [(start, end) for _, start, end in house.occupied(made)] == [(at(10), at(12))] * 2


def test_another_space_is_another_booking(house: House) -> None:
    made = house.book(member := house.member(), house.room(), at(9), at(11))
    with house.building() as session:
        elsewhere = a_room(session, a_space(session))
    before = house.snapshot(made)
    with pytest.raises(Invalid):
        house.move(made, by=member, resource_id=elsewhere.uid)
    assert house.snapshot(made) == before


def test_only_the_member_and_the_desk_move_it(house: House) -> None:
    made = house.book(house.member(), house.room(), at(9), at(11))
    for stranger, problem in ((house.member(), NotFound), (house.staff("accountant"), NotAllowed)):
        with pytest.raises(problem):
            house.move(made, by=stranger, start=at(12))
    assert house.move(made, by=house.staff("front_desk"), start=at(12)).starts_at == at(12)


def test_what_is_over_stays_where_it_was(house: House) -> None:
    """Otherwise whoever used the room this morning could move that to next week."""
    made = house.book(member := house.member(), house.room(), at(9), at(11))
    house.now = at(11)
    with pytest.raises(WrongState):
        house.move(made, by=member, start=at(9, day=8))


def test_editing_changes_what_is_written_and_nothing_else(house: House) -> None:
    made = house.book(member := house.member(), house.room(), at(9), at(11), title="Old")
    edited = house.move(made, by=member, title="New", attendees=("a@example.org",))
    assert (edited.title, edited.attendees, edited.revision) == ("New", ["a@example.org"], 1)
    assert house.told(edited.uid)[-1][2]["fields"] == ["attendees", "title"]
    assert house.move(made, by=member, title="New").revision == 1
    assert house.types_told(made) == ["booking.made", "booking.edited"]


def test_no_more_people_are_written_on_it_than_fit(house: House) -> None:
    made = house.book(member := house.member(), house.room(capacity=2), at(9), at(11))
    people = tuple(f"guest{n}@example.org" for n in range(3))
    with pytest.raises(Problem) as refused:
        house.move(made, by=member, attendees=people)
    assert isinstance(refused.value, Refused)
    assert refused.value.rule == "capacity"


def test_no_show_and_end_follow_the_new_time(house: House) -> None:
    made = house.book(member := house.member(), house.room(rules={"no_show_after_minutes": 20}), at(9), at(11))
    house.move(made, by=member, start=at(14))
    house.time_passes(at(14) + timedelta(minutes=19))
    assert house.booking(made).status == "confirmed"
    house.time_passes(at(14) + timedelta(minutes=20))
    assert house.booking(made).status == "no_show"


def test_a_booking_moved_late_says_what_cancelling_costs_at_least(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    made = house.book(member, room, at(9), at(11))
    assert made.describe()["least_fee"] == {"amount_cents": 0, "currency": "EUR"}
    house.now = at(8)
    house.move(made, by=member, start=at(9, day=20))
    assert house.shown(made, to=member)["least_fee"] == {"amount_cents": 1210, "currency": "EUR"}
    assert house.cancel(made, by=member).fee_cents == 1210
