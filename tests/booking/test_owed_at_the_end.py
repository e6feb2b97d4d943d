"""What a booking that ends early leaves owed: said once, and no less because somebody asked for another time first."""

from __future__ import annotations

import pytest

from tests.booking.house import House, at
from tests.builders import a_membership, a_room

TERMS = [[24, 0], [2, 50], [0, 100]]


@pytest.mark.parametrize("ending", ["refused", "expired"])
@pytest.mark.parametrize(("late", "fee", "credit"), [(True, 605, 0), (False, 0, 60)])
def test_asking_late_for_what_is_not_granted_is_no_way_around_the_fee(
    house: House, ending: str, late: bool, fee: int, credit: int
) -> None:
    member = house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
        room = a_room(session, house.space, rules={"cancellation": TERMS})
        asking = a_room(session, house.space, rules={"cancellation": TERMS, "approval": True})
    made = house.book(member, room, at(9), at(11))
    house.now = at(8) if late else house.now
    assert house.move(made, by=member, resource_id=asking.uid, start=at(9, day=20)).status == "pending"
    if ending == "refused":
        for _ in range(2):
            assert house.refuse(made, by=house.manager).status == "refused"
    else:
        house.time_passes(at(9, day=20))
        assert house.booking(made).reason == "expired"
    told = house.told(house.booking(made).uid)[-1][2]
    assert (house.booking(made).fee_cents, told["fee_cents"], bool(told["returned"])) == (fee, fee, not late)
    assert house.credit(membership, "room") == credit
    shown = house.shown(made, to=member)
    assert (shown["change_fee"]["amount_cents"], shown["forfeited_minutes"]) == (0, 60 - credit)


def test_staff_may_spare_who_asked_late(house: House) -> None:
    member = house.member()
    with house.building() as session:
        asking = a_room(session, house.space, rules={"cancellation": TERMS, "approval": True})
    made = house.book(member, asking, at(9), at(11))
    house.approve(made, by=house.manager)
    house.now = at(8)
    house.move(made, by=member, start=at(9, day=20))
    assert house.cancel(made, by=house.manager).fee_cents == 0


@pytest.mark.parametrize(("by", "fee", "forfeited"), [("member", 606, 120), ("staff", 0, 0), ("closure", 0, 0)])
def test_what_is_owed_for_the_part_given_up_is_said_once(house: House, by: str, fee: int, forfeited: int) -> None:
    room, member = house.room(rules={"cancellation": TERMS}), house.member()
    with house.building() as session:
        a_membership(session, member, house.space, included={"room": 120})
    credits = house.book(member, house.room(rules={"cancellation": TERMS}), at(13, day=4), at(15, day=4))
    made = house.book(member, room, at(9, day=4), at(11, day=4))
    house.now = at(14, day=3)
    for each, end in ((made, 10), (credits, 14)):
        house.move(each, by=member, end=at(end, day=4))
    assert house.shown(made, to=member)["change_fee"]["amount_cents"] == 303
    assert house.shown(credits, to=member)["forfeited_minutes"] == 60
    if by == "closure":
        house.close(at(8, day=4), at(18, day=4))
    for each in (made, credits) if by != "closure" else ():
        house.cancel(each, by=member if by == "member" else house.manager)
    shown = house.shown(made, to=member)
    assert (shown["fee"]["amount_cents"], shown["change_fee"]["amount_cents"]) == (fee, 0)
    assert house.shown(credits, to=member)["forfeited_minutes"] == forfeited
