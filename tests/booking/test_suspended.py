"""Whom the operator takes no new bookings from: what they have booked stays theirs, to move and to make smaller."""

from __future__ import annotations

import pytest

from app.errors import Refused, SlotTaken
from app.network import suspensions
from app.network.models import Member
from tests.booking.house import House, at


@pytest.fixture
def member(house: House) -> Member:
    return house.member()


def suspend(house: House, member: Member) -> None:
    with house.building() as session:
        whose = {"operator_id": house.space.operator_id, "members": [member.id]}
        assert suspensions.suspend(session, **whose, source="invoice", now=house.now) == 1


def test_who_is_suspended_moves_what_is_booked_and_books_nothing_new(house: House, member: Member) -> None:
    room = house.room()
    made = house.book(member, room, at(9), at(11))
    house.book(house.member(), room, at(14), at(16))
    suspend(house, member)
    with pytest.raises(Refused) as refused:
        house.book(member, room, at(9, day=2), at(11, day=2))
    assert refused.value.rule == "suspended"
    assert house.quote_change(made, by=member, end=at(10))["refusal"] is None
    assert house.move(made, by=member, end=at(10)).gross_cents == 605
    assert house.move(made, by=member, start=at(12)).starts_at == at(12)
    with pytest.raises(SlotTaken) as taken:
        house.move(made, by=member, start=at(14))
    assert taken.value.facts["alternatives"], "other times to move to"


def test_instead_of_what_a_closure_displaces_they_are_offered_nothing_they_could_not_book(
    house: House, member: Member
) -> None:
    room = house.room()
    house.book(member, room, at(9), at(11))
    assert house.preview_closure(at(8), at(18))[0].alternatives
    suspend(house, member)
    assert house.preview_closure(at(8), at(18))[0].alternatives == []
