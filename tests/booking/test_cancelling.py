"""Cancelling: the fee by the frozen steps, the cover back exactly once, the place free, everybody told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.errors import NotAllowed, NotFound, WrongState
from tests.booking.house import House, at
from tests.builders import a_manager, a_membership, a_space

TERMS = [[24, 0], [2, 50], [0, 100]]


@pytest.mark.parametrize(
    ("hours_before", "fee"), [(48, 0), (24, 0), (23, 605), (2, 605), (1, 1210), (0, 1210), (-1, 1210)]
)
def test_the_fee_follows_the_steps(house: House, hours_before: float, fee: int) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    made = house.book(member, room, at(9, day=4), at(11, day=4))
    house.now = at(9, day=4) - timedelta(hours=hours_before)
    cancelled = house.cancel(made, by=member)
    assert (cancelled.status, cancelled.reason, cancelled.fee_cents) == ("cancelled", "member", fee)
    assert house.occupied() == []
    (_, name, data) = house.told(cancelled.uid)[-1]
    assert (name, data["fee_cents"], data["reason"]) == ("booking.cancelled", fee, "member")


def test_credits_come_back_in_time_exactly_once(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 90})
    made = house.book(member, room, at(9, day=4), at(11, day=4))
    assert house.credit(membership, "room") == 0
    first = house.cancel(made, by=member)
    assert house.credit(membership, "room") == 90
    before = house.snapshot(made)
    house.now = at(12, day=4)
    again = house.cancel(made, by=member)
    assert (again.revision, again.changed_at) == (first.revision, first.changed_at)
    assert house.snapshot(made) == before
    returned = house.told(again.uid)[-1][2]["returned"]
    assert [(part["source"], part["minutes"]) for part in returned] == [("credit", 90)]


def test_too_late_keeps_the_credits_and_takes_the_fee_of_what_was_money(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
    made = house.book(member, room, at(9), at(11))
    house.now = at(8)
    assert house.cancel(made, by=member).fee_cents == 605  # all of the hour paid in money
    assert house.credit(membership, "room") == 0
    assert house.told(house.booking(made).uid)[-1][2]["returned"] == []
    assert house.shown(made, to=member)["forfeited_minutes"] == 60


def test_credits_given_back_are_not_forfeited(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    with house.building() as session:
        a_membership(session, member, house.space, included={"room": 60})
    made = house.book(member, room, at(9, day=4), at(11, day=4))
    assert made.describe()["forfeited_minutes"] == 0
    house.cancel(made, by=member)
    assert house.shown(made, to=member)["forfeited_minutes"] == 0


def test_staff_cancel_for_free(house: House) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
    made = house.book(member, room, at(9), at(11))
    house.now = at(8.9)
    cancelled = house.cancel(made, by=house.staff("front_desk"))
    assert (cancelled.reason, cancelled.fee_cents, house.credit(membership, "room")) == ("staff", 0, 60)


def test_a_request_not_yet_approved_costs_nothing(house: House) -> None:
    room, member = house.room(rules={"cancellation": [[0, 100]], "approval": True}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
    made = house.book(member, room, at(9), at(11))
    house.now = at(8.9)
    assert house.cancel(made, by=member).fee_cents == 0
    assert house.credit(membership, "room") == 60


def test_only_the_member_and_the_desk_cancel(house: House) -> None:
    made = house.book(house.member(), house.room(), at(9), at(11))
    with house.building() as session:
        foreign = a_manager(session, a_space(session))
    for stranger, problem in ((house.member(), NotFound), (foreign, NotFound), (house.staff("accountant"), NotAllowed)):
        with pytest.raises(problem):
            house.cancel(made, by=stranger)
    assert house.booking(made).status == "confirmed"


def test_what_is_over_or_used_is_not_cancelled(house: House) -> None:
    room, member = house.room(), house.member()
    over, used = house.book(member, room, at(9), at(10)), house.book(member, room, at(10), at(11))
    house.now = at(10)
    house.check_in(used, by=member)
    for made in (over, used):
        with pytest.raises(WrongState):
            house.cancel(made, by=member)
    assert len(house.occupied()) == 2


def test_the_place_is_free_at_once_for_others(house: House) -> None:
    room, member = house.room(), house.member()
    for _ in range(3):
        house.cancel(house.book(member, room, at(9), at(11)), by=member)
    assert house.book(house.member(), room, at(9), at(11)).row["status"] == "confirmed"
