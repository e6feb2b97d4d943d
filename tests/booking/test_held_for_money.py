"""A place that is held until it is paid: who is asked for money first, how long, and what stays paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.booking import paid
from app.booking.making import TIME_TO_PAY, Made
from app.booking.models import Booking
from app.booking.paid import CONFIRMED, TOO_LATE, TOO_LITTLE
from app.ids import new_id
from tests.booking.house import House, at, uid_of
from tests.booking.plans import a_business, a_team, minutes, signed
from tests.builders import a_room

ALL_IN_THE_LAST_DAY = [[24, 0], [0, 100]]
FIRST = {"pay_first": True, "cancellation": ALL_IN_THE_LAST_DAY}
PRICE = 1210  # two hours


def money_comes(house: House, made: Made | Booking, *, cents: int = PRICE, payment: UUID | None = None) -> str:
    with house.building() as session:
        return paid.confirm_paid(session, uid_of(made), payment_uid=payment or new_id(), cents=cents, now=house.now)


def test_what_is_paid_stays_paid_and_confirmed_wherever_it_moves(house: House) -> None:
    room, member, payment = house.room(rules=FIRST), house.member(), new_id()
    made = house.book(member, room, at(9), at(11))
    assert money_comes(house, made, payment=payment) == CONFIRMED
    house.now = at(8)
    moved = house.move(made, by=member, start=at(9, day=3))
    assert (moved.status, moved.hold_expires_at) == ("confirmed", None)
    assert house.told(moved.uid)[-1][2]["status"] == "confirmed"
    assert money_comes(house, made, payment=payment) == CONFIRMED, "heard once more, the money is not sent back"
    assert money_comes(house, made) == TOO_LATE
    house.time_passes(at(9, day=3))
    assert house.cancel(made, by=member).fee_cents == PRICE, "it did not expire, and whoever moved late pays"


def test_what_was_confirmed_without_money_does_not_become_a_hold(house: House) -> None:
    room, first, member = house.room(), house.room(rules=FIRST), house.member()
    made = house.book(member, room, at(9), at(11))
    moved = house.move(made, by=member, resource_id=first.uid, end=at(12))
    assert (moved.status, moved.hold_expires_at, moved.gross_cents) == ("confirmed", None, 1815)
    house.time_passes(at(12))
    assert house.booking(made).status == "completed"


def test_a_request_moved_to_where_one_pays_first_stays_a_request(house: House) -> None:
    member = house.member()
    with house.building() as session:
        asking = a_room(session, house.space, rules={"approval": True})
        both = a_room(session, house.space, rules={**FIRST, "approval": True})
    first = house.room(rules=FIRST)
    made = house.book(member, asking, at(9), at(11))
    for room in (first, both):
        moved = house.move(made, by=member, resource_id=room.uid)
        assert (moved.status, moved.hold_expires_at) == ("pending", None)
    assert house.approve(made, by=house.manager).status == "confirmed"
    assert house.move(made, by=member, start=at(12)).status == "pending", "asked again, not paid again"


def test_a_hold_does_not_outlive_its_booking(house: House) -> None:
    room, member = house.room(rules={**FIRST, "min_minutes": 15}), house.member()
    house.now = at(8, day=0) + timedelta(minutes=10)
    short = house.book(member, room, at(8, day=0), at(8.25, day=0))
    assert house.booking(short).hold_expires_at == at(8.25, day=0)
    later = house.book(member, room, at(9, day=0), at(11, day=0))
    assert house.booking(later).hold_expires_at == house.now + TIME_TO_PAY
    house.now = at(8.25, day=0)
    assert money_comes(house, short) == TOO_LATE, "it is over, whether or not anybody has freed it"
    house.now = at(9, day=0)
    assert money_comes(house, later) == CONFIRMED, "its place is not freed yet"


@pytest.mark.parametrize(("cents", "outcome", "becomes"), [
    (PRICE, CONFIRMED, ("confirmed", "taken")), (PRICE - 1, TOO_LITTLE, ("held", "offered")),
])  # fmt: skip
def test_money_takes_up_a_place_offered_from_the_waiting_list(
    house: House, cents: int, outcome: str, becomes: tuple[str, str]
) -> None:
    room, member = house.room(), house.member()
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    hold = house.offer_to(entry)
    assert money_comes(house, hold, cents=cents) == outcome
    assert (house.booking(hold).status, house.entry(entry).status) == becomes


def test_money_for_what_credit_covers_goes_back(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        signed(session, member, house.space, credits=[minutes("room", 120)])
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(member, room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    assert money_comes(house, house.offer_to(entry)) == TOO_LATE


@pytest.mark.parametrize(("company_pays", "status"), [(True, "confirmed"), (False, "held")])
def test_only_who_pays_alone_is_asked_first(house: House, company_pays: bool, status: str) -> None:
    room, boss, member = house.room(rules=FIRST), house.member(), house.member()
    with house.building() as session:
        team = a_team(session, house.space, [member], answers=boss, party=a_business(session) if company_pays else None)
        signed(session, boss, house.space, team=team)
    made = house.book(member, room, at(9), at(11))
    told: dict[str, Any] = house.told(uid_of(made))[0][2]
    assert (made.row["status"], told["status"], told["payer_id"] is not None) == (status, status, company_pays)
