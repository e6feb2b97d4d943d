"""Waiting for a place: first come, first offered, half an hour to think, then the next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.booking.waiting import MOST_PER_PERSON, TIME_TO_THINK, NotTaken
from app.errors import Invalid, NotFound, Refused, SlotTaken, WrongState
from tests.booking.house import House, at
from tests.builders import a_membership, a_resource, a_room, a_unit


def test_only_a_taken_place_is_waited_for_and_only_once(house: House) -> None:
    room, member = house.room(), house.member()
    with pytest.raises(NotTaken):
        house.wait(member, room, at(9), at(11))
    house.book(house.member(), room, at(9), at(11))
    house.wait(member, room, at(9), at(11))
    with pytest.raises(Invalid):
        house.wait(member, room, at(9), at(11))
    house.wait(member, room, at(10), at(12))
    with pytest.raises(Refused):
        house.wait(member, room, at(17), at(19))


def test_the_first_who_asked_is_offered_the_place_and_takes_it(house: House) -> None:
    room, first, second = house.room(), house.member(), house.member()
    made = house.book(holder := house.member(), room, at(9), at(11))
    entries = [house.wait(member, room, at(9), at(11)) for member in (first, second)]
    house.cancel(made, by=holder)
    house.time_passes()
    hold = house.offer_to(entries[0])
    assert (hold.status, hold.member_id) == ("held", first.id)
    assert timedelta(0) <= hold.hold_expires_at - (house.now + TIME_TO_THINK) < timedelta(seconds=1)
    assert house.entry(entries[1]).status == "waiting"
    assert [name for _, name, _ in house.told(entries[0].uid)] == ["waitlist.offered"]
    with pytest.raises(SlotTaken):
        house.book(house.member(), room, at(9), at(11))
    with pytest.raises(NotFound):
        house.accept(hold, by=second)
    for _ in range(2):
        assert house.accept(hold, by=first).status == "confirmed"
    assert house.entry(entries[0]).status == "taken"
    assert house.types_told(hold) == ["booking.made", "booking.accepted"]
    house.time_passes(at(8))
    assert (house.booking(hold).status, house.entry(entries[1]).status) == ("confirmed", "waiting")
    with pytest.raises(WrongState):
        house.leave(entries[0], by=first)


def test_an_offer_nobody_takes_goes_to_the_next_and_the_next(house: House) -> None:
    room = house.room()
    made = house.book(holder := house.member(), room, at(9), at(11))
    members = [house.member() for _ in range(3)]
    entries = [house.wait(member, room, at(9), at(11)) for member in members]
    house.cancel(made, by=holder)
    offered = []
    for entry in entries:
        house.time_passes()
        assert house.entry(entry).status == "offered"
        offered.append(hold := house.offer_to(entry))
        house.time_passes(house.now + TIME_TO_THINK - timedelta(seconds=1))
        assert house.booking(hold).status == "held"
        house.now += timedelta(seconds=2)
    house.time_passes()
    assert [house.entry(entry).status for entry in entries] == ["lapsed"] * 3
    assert [house.booking(hold).reason for hold in offered] == ["expired"] * 3
    assert house.occupied() == []
    with pytest.raises(WrongState):
        house.accept(offered[0], by=members[0])


def test_too_late_is_too_late_even_before_the_timekeeper_came(house: House) -> None:
    room, member = house.room(), house.member()
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    house.now = hold_ends = house.offer_to(entry).hold_expires_at or house.now
    with pytest.raises(Refused) as refused:
        house.accept(house.offer_to(entry), by=member)
    assert refused.value.rule == "hold_expired"
    house.time_passes(hold_ends)
    assert house.entry(entry).status == "lapsed"


def test_giving_up_an_offer_passes_it_on(house: House) -> None:
    room, first, second = house.room(), house.member(), house.member()
    made = house.book(holder := house.member(), room, at(9), at(11))
    entries = [house.wait(member, room, at(9), at(11)) for member in (first, second)]
    house.cancel(made, by=holder)
    house.time_passes()
    with pytest.raises(NotFound):
        house.leave(entries[0], by=second)
    for _ in range(2):
        assert house.leave(entries[0], by=first).status == "cancelled"
    house.time_passes(house.now + timedelta(seconds=1))
    assert house.entry(entries[1]).status == "offered"


def test_several_free_places_are_offered_to_several_who_wait(house: House) -> None:
    pool = house.pool(desks=2)
    holders = [house.member() for _ in range(2)]
    made = [house.book(holder, pool, at(9), at(11)) for holder in holders]
    entries = [house.wait(house.member(), pool, at(9), at(11)) for _ in range(3)]
    for holder, booking in zip(holders, made, strict=True):
        house.cancel(booking, by=holder)
    house.time_passes()
    assert [house.entry(entry).status for entry in entries] == ["offered", "offered", "waiting"]


def test_two_rooms_opened_into_one_are_offered_once_both_are_free(house: House) -> None:
    with house.building() as session:
        walls = [a_unit(session, house.space) for _ in range(2)]
        rooms = [a_room(session, house.space, unit=wall) for wall in walls]
        both = a_resource(session, house.space, kind="room", units=walls, takes="all", capacity=16)
    holders = [house.member() for _ in range(2)]
    made = [house.book(holder, room, at(9), at(11)) for holder, room in zip(holders, rooms, strict=True)]
    entry = house.wait(house.member(), both, at(10), at(12))
    statuses = []
    for holder, booking in zip(holders, made, strict=True):
        house.cancel(booking, by=holder)
        house.time_passes(house.now + timedelta(seconds=1))
        statuses.append(house.entry(entry).status)
    assert statuses == ["waiting", "offered"]
    assert len(house.occupied(house.offer_to(entry))) == 2


def test_a_room_freed_by_a_combination_is_offered(house: House) -> None:
    with house.building() as session:
        walls = [a_unit(session, house.space) for _ in range(2)]
        alone = a_room(session, house.space, unit=walls[1])
        both = a_resource(session, house.space, kind="room", units=walls, takes="all", capacity=16)
    made = house.book(holder := house.member(), both, at(9), at(11))
    entry = house.wait(house.member(), alone, at(10), at(11))
    house.move(made, by=holder, start=at(14))
    house.time_passes()
    assert house.entry(entry).status == "offered"


def test_whom_the_rules_refuse_by_now_is_passed_over_and_goes_on_waiting(house: House) -> None:
    room = house.room(rules={"quota_day_minutes": 120})
    made = house.book(holder := house.member(), room, at(9), at(11))
    busy, idle = house.member(), house.member()
    entries = [house.wait(member, room, at(9), at(11)) for member in (busy, idle)]
    other = house.book(busy, room, at(14), at(15))
    house.cancel(made, by=holder)
    house.time_passes()
    assert [house.entry(entry).status for entry in entries] == ["waiting", "offered"]
    house.cancel(other, by=busy)
    house.leave(entries[1], by=idle)
    house.time_passes(house.now + timedelta(seconds=1))
    assert house.entry(entries[0]).status == "offered"


def test_a_no_show_is_an_offer_for_whoever_waits_for_what_is_left(house: House) -> None:
    room = house.room(rules={"no_show_after_minutes": 20})
    house.book(house.member(), room, at(9), at(12))
    early, late = (house.wait(house.member(), room, at(hour), at(12)) for hour in (9, 11))
    house.time_passes(at(9.5))
    assert (house.entry(early).status, house.entry(late).status) == ("lapsed", "offered")


def test_an_accepted_offer_still_needs_the_approval_of_the_space(house: House) -> None:
    room, member = house.room(rules={"approval": True}), house.member()
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    hold = house.offer_to(entry)
    assert house.accept(hold, by=member).status == "pending"
    _, name, data = house.told(hold.uid)[-1]
    assert (name, data["status"]) == ("booking.accepted", "pending")
    assert house.approve(hold, by=house.manager).status == "confirmed"


def test_a_hold_draws_credits_and_gives_them_back(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 120})
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    assert (house.entry(entry).status, house.credit(membership, "room")) == ("offered", 0)
    house.time_passes(house.now + TIME_TO_THINK + timedelta(seconds=1))
    assert (house.entry(entry).status, house.credit(membership, "room")) == ("lapsed", 120)


def test_a_closure_takes_the_offer_back_and_the_person_waits_on(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 120})
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    closure, _ = house.close(at(8), at(12))
    house.time_passes(house.now + timedelta(seconds=1))
    assert (house.entry(entry).status, house.credit(membership, "room")) == ("waiting", 120)
    house.lift(closure)
    house.time_passes(house.now + timedelta(seconds=1))
    assert house.entry(entry).status == "offered"
    house.close(at(8), at(12))
    assert house.leave(entry, by=member).status == "cancelled"
    assert house.credit(membership, "room") == 120


def test_waiting_ends_when_the_time_has_come(house: House) -> None:
    """Otherwise what was never offered would count against the person for ever."""
    room, member = house.room(), house.member()
    house.book(house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.time_passes(at(9) - timedelta(seconds=1))
    assert house.entry(entry).status == "waiting"
    house.time_passes(at(9))
    assert house.entry(entry).status == "lapsed"


def test_nobody_waits_for_everything(house: House) -> None:
    room, member = house.room(), house.member()
    for day in range(1, 4):
        house.book(house.member(), room, at(8, day=day), at(18, day=day))
    for n in range(MOST_PER_PERSON):
        day, place = divmod(n, 9)
        house.wait(member, room, at(8 + place, day=1 + day), at(9 + place, day=1 + day))
    with pytest.raises(Refused) as refused:
        house.wait(member, room, at(8, day=3), at(12, day=3))
    assert (refused.value.rule, refused.value.limit) == ("waitlist", MOST_PER_PERSON)


def test_nobody_waits_for_what_has_begun(house: House) -> None:
    room = house.room()
    house.book(house.member(), room, at(9), at(11))
    house.now = at(9) + timedelta(minutes=7)
    with pytest.raises(Refused) as refused:
        house.wait(house.member(), room, at(9), at(11))
    assert refused.value.rule == "in_the_past"
