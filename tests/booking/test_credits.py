"""Credits of a plan: drawn when booked, from the cycle of the booking, given back once, never below zero."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.exc import IntegrityError

from app.network import credits
from tests.booking.house import House, at, uid_of
from tests.builders import a_membership, a_pool, a_space

APRIL = date(2026, 4, 1)


def sources(made: object) -> list[tuple[str, int | None, int]]:
    cover = made.row["cover"]  # type: ignore[attr-defined]
    return [(part["source"], part.get("minutes"), part["amount"]["amount_cents"]) for part in cover]


def test_credits_first_then_money_to_the_cent(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"desk_pool": 100})
    assert sources(house.book(member, pool, at(9), at(10))) == [("credit", 60, 605)]
    assert sources(house.book(member, pool, at(10), at(11))) == [("credit", 40, 403), ("money", None, 202)]
    assert sources(house.book(member, pool, at(11), at(12))) == [("money", None, 605)]
    assert house.credit(membership, "desk_pool") == 0


def test_unless_the_person_chooses_otherwise(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"desk_pool": 100})
    assert sources(house.book(member, pool, at(9), at(10), cover=("money",))) == [("money", None, 605)]
    assert sources(house.book(member, pool, at(9), at(10), cover=("money", "credit"))) == [("money", None, 605)]
    assert house.credit(membership, "desk_pool") == 100


def test_a_booking_draws_on_the_cycle_it_falls_in(house: House) -> None:
    pool, member = house.pool(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"desk_pool": 60})
    house.book(member, pool, at(9, day=30), at(10, day=30))
    assert (house.credit(membership, "desk_pool"), house.credit(membership, "desk_pool", cycle=APRIL)) == (60, 0)
    assert sources(house.book(member, pool, at(9, day=29), at(10, day=29))) == [("credit", 60, 605)]


def test_the_local_day_decides_the_cycle(house: House) -> None:
    """00:30 on 1 April in Brussels is still March in UTC."""
    member = house.member()
    with house.building() as session:
        night = a_space(session, opens="00:00", closes="00:00")
        pool = a_pool(session, night)
        membership = a_membership(session, member, night, included={"desk_pool": 60})
    house.book(member, pool, at(0.5, day=30), at(1.5, day=30))
    assert (house.credit(membership, "desk_pool"), house.credit(membership, "desk_pool", cycle=APRIL)) == (60, 0)


def test_credits_are_for_their_kind_their_space_and_their_time(house: House) -> None:
    member, room, pool = house.member(), house.room(), house.pool()
    with house.building() as session:
        elsewhere = a_pool(session, a_space(session))
        a_membership(
            session, member, house.space, included={"room": 60}, starts_on=date(2026, 3, 3), ends_on=date(2026, 3, 4)
        )
    assert sources(house.book(member, pool, at(9), at(10)))[0][0] == "money"
    assert sources(house.book(member, elsewhere, at(9), at(10)))[0][0] == "money"
    assert sources(house.book(member, room, at(9, day=0), at(10, day=0)))[0][0] == "money"
    assert sources(house.book(member, room, at(9, day=3), at(10, day=3)))[0][0] == "money"
    assert sources(house.book(member, room, at(9, day=2), at(10, day=2)))[0][0] == "credit"


def test_nobody_draws_on_somebody_elses_credits(house: House) -> None:
    member, other, pool = house.member(), house.member(), house.pool()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"desk_pool": 60})
    assert sources(house.book(other, pool, at(9), at(10)))[0][0] == "money"
    assert sources(house.book(member, pool, at(9), at(10), by=house.manager))[0][0] == "credit"
    assert house.credit(membership, "desk_pool") == 0


def test_extras_are_paid_in_money(house: House) -> None:
    from tests.builders import a_resource, a_unit

    member, room = house.member(), house.room()
    with house.building() as session:
        projector = a_resource(session, house.space, kind="equipment", units=[a_unit(session, house.space)])
        a_membership(session, member, house.space, included={"room": 600, "equipment": 600})
    made = house.book(member, room, at(9), at(10), extras=(projector.uid,))
    assert sources(made) == [("credit", 60, 605), ("money", None, 605)]


def test_the_database_refuses_a_second_return_and_a_second_draw(house: House) -> None:
    member, pool = house.member(), house.pool()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"desk_pool": 60})
    made = house.book(member, pool, at(9), at(10))
    house.cancel(made, by=member)
    with pytest.raises(IntegrityError), house.building() as session:
        credits.give_back(session, booking_uid=uid_of(made), draw_no=1, at=house.now)
    with pytest.raises(IntegrityError), house.building() as session:
        credits.draw(
            session, made.plan.drawn, member_id=member.id, space_id=house.space.id, booking_uid=uid_of(made),
            draw_no=1, at=house.now,
        )  # fmt: skip
    assert house.credit(membership, "desk_pool") == 60


def test_nothing_was_drawn_so_nothing_comes_back(house: House) -> None:
    made = house.book(member := house.member(), house.pool(), at(9), at(10))
    with house.building() as session:
        assert credits.give_back(session, booking_uid=uid_of(made), draw_no=1, at=house.now) == 0
    house.cancel(made, by=member)
    assert house.told(uid_of(made))[-1][2]["returned"] == []
