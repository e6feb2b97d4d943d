"""A booking from the wish to its end: made, priced, assigned, asked for, checked in, missed, completed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from psycopg import Cursor
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.booking.making import make_booking
from app.booking.models import BookingRule, PriceList, Resource
from app.errors import Invalid, NotAllowed, NotFound, Refused, SlotTaken, WrongState
from app.events.models import Due
from tests.booking.house import House, a_wish, at
from tests.builders import a_membership, a_resource, a_room, a_space, a_unit, saved


def a_projector(session: Session, house: House, **values: Any) -> Resource:
    units = [a_unit(session, house.space, "Projector")]
    price = {"hour_tiers": [[None, 200]], "day_cents": None}
    return a_resource(session, house.space, kind="equipment", units=units, **{"price": price, **values})


def test_a_member_books_a_desk_and_everybody_who_listens_hears_of_it(house: House) -> None:
    pool, member = house.pool(), house.member()
    made = house.book(member, pool, at(9), at(11), title="Writing")
    booking = house.booking(made)
    assert (booking.status, booking.title, booking.starts_at, booking.ends_at) == (
        "confirmed",
        "Writing",
        at(9),
        at(11),
    )
    assert (booking.net_cents, booking.vat_cents, booking.gross_cents) == (1000, 210, 1210)
    assert house.occupied(made) == [(booking.unit_ids[0], at(9), at(11))]
    ((seq, name, data),) = house.told(booking.uid)
    assert (seq, name, data["status"], data["gross_cents"]) == (1, "booking.made", "confirmed", 1210)
    assert data["booking_id"] == str(booking.uid) == made.describe()["id"]
    assert booking.event_seq == 1


def test_back_to_back_is_fine(house: House) -> None:
    room, member = house.room(), house.member()
    for hour in (9, 8, 10):
        house.book(member, room, at(hour), at(hour + 1))
    with pytest.raises(SlotTaken):
        house.book(member, room, at(9.75), at(10.25))


@pytest.mark.parametrize("included", [{}, {"room": 60}, {"room": 600}])
def test_a_quote_is_what_a_booking_charges(house: House, included: dict[str, int]) -> None:
    member = house.member()
    with house.building() as session:
        room, projector = a_room(session, house.space), a_projector(session, house)
        a_membership(session, member, house.space, included=included)
    wish: dict[str, Any] = {"extras": (projector.uid,), "attendees": ("a@example.org",)}
    quoted = house.quote(member, room, at(9), at(11), **wish)
    assert house.occupied() == []
    described = house.book(member, room, at(9), at(11), **wish).describe()
    assert (quoted["total"], quoted["cover"]) == (described["price"], described["cover"])
    assert sum(line["price"]["amount_cents"] for line in quoted["lines"]) == described["price"]["amount_cents"] == 1694
    assert sum(part["amount"]["amount_cents"] for part in described["cover"]) == 1694


def test_a_quote_says_what_booking_would_answer(house: House) -> None:
    room, member = house.room(), house.member()
    house.book(member, room, at(9), at(11))
    taken = house.quote(member, room, at(10), at(12))["refusal"]
    assert (taken["code"], taken["rule"]) == ("slot_taken", None)
    house.each_works(taken["alternatives"], member, at_least=3)
    closed = house.quote(member, room, at(17), at(19))["refusal"]
    assert (closed["code"], closed["rule"]) == ("refused", "opening_hours")


def test_price_and_terms_freeze_when_it_is_made(house: House) -> None:
    room, member = house.room(rules={"cancellation": [[24, 0], [0, 50]]}), house.member()
    made = house.book(member, room, at(9), at(11))
    with house.building() as session:
        session.execute(update(PriceList).values(hour_tiers=[[None, 9900]], day_cents=None))
        session.execute(update(BookingRule).values(cancellation=[[0, 100]]))
    assert house.booking(made).gross_cents == 1210
    assert house.book(member, room, at(11), at(12)).row["gross_cents"] == 11979
    house.now = at(8)
    assert house.cancel(made, by=member).fee_cents == 605


def test_a_pool_gives_the_desk_that_leaves_the_fewest_holes(house: House) -> None:
    pool = house.pool(desks=3)
    first = house.book(house.member(), pool, at(9), at(12)).row["unit_ids"]
    # Behind the first booking there is a hole on one side only; an empty desk would have two.
    assert house.book(house.member(), pool, at(12), at(14)).row["unit_ids"] == first
    assert house.book(house.member(), pool, at(9), at(10)).row["unit_ids"] != first


def test_a_pool_gives_back_the_last_desk_even_if_it_leaves_holes(house: House) -> None:
    pool, member = house.pool(desks=3), house.member()
    guests = [house.book(house.member(), pool, at(9), at(10)).row["unit_ids"] for _ in range(2)]
    mine = house.book(member, pool, at(9), at(10)).row["unit_ids"]
    assert mine not in guests
    again = house.book(member, pool, at(12, day=2), at(13, day=2)).row["unit_ids"]
    house.book(house.member(), pool, at(8, day=3), at(12, day=3))
    assert again == mine == house.book(member, pool, at(14, day=3), at(15, day=3)).row["unit_ids"]


def test_two_rooms_opened_into_one_need_both(house: House) -> None:
    member = house.member()
    with house.building() as session:
        walls = [a_unit(session, house.space) for _ in range(2)]
        a, b = (a_room(session, house.space, unit=wall) for wall in walls)
        both = a_resource(session, house.space, kind="room", units=walls, takes="all", capacity=16)
    house.book(member, a, at(9), at(10))
    with pytest.raises(SlotTaken) as taken:
        house.book(member, both, at(9), at(10))
    house.each_works(taken.value.facts["alternatives"], member)
    together = house.book(member, both, at(10), at(11))
    assert sorted(together.row["unit_ids"]) == [wall.id for wall in walls]
    for room in (a, b):
        with pytest.raises(SlotTaken) as taken:
            house.book(member, room, at(10.5), at(11.5))
        house.each_works(taken.value.facts["alternatives"], member)
    assert len(house.occupied()) == 3


def test_one_projector_goes_to_one_room(house: House) -> None:
    member = house.member()
    with house.building() as session:
        rooms = [a_room(session, house.space) for _ in range(3)]
        projector = a_projector(session, house)
    first = house.book(member, rooms[0], at(9), at(11), extras=(projector.uid,))
    assert len(house.occupied(first)) == 2
    with pytest.raises(SlotTaken) as taken:
        house.book(member, rooms[1], at(10), at(12), extras=(projector.uid,))
    assert taken.value.facts["resource_id"] == str(projector.uid)
    # Another room at that time would not have the projector either.
    house.each_works(taken.value.facts["alternatives"], member, extras=(projector.uid,), at_least=3)
    house.book(member, rooms[1], at(10), at(12))
    assert len(house.occupied()) == 3


def test_only_equipment_of_the_same_space_is_an_extra(house: House) -> None:
    member, room = house.member(), house.room()
    with house.building() as session:
        elsewhere = a_space(session)
        foreign = a_resource(session, elsewhere, kind="equipment", units=[a_unit(session, elsewhere)])
    for extra in (foreign, house.room()):
        with pytest.raises(Invalid):
            house.book(member, room, at(9), at(10), extras=(extra.uid,))


def test_buffers_keep_others_at_a_distance_and_the_extras_with_the_room(house: House) -> None:
    member = house.member()
    with house.building() as session:
        rules = {"buffer_before_minutes": 15, "buffer_after_minutes": 30}
        room, other = a_room(session, house.space, rules=rules), a_room(session, house.space)
        projector = a_projector(session, house)
    house.book(member, other, at(9), at(10), extras=(projector.uid,))
    with pytest.raises(SlotTaken) as taken:  # the projector is carried over while the room is being aired
        house.book(member, room, at(10), at(11), extras=(projector.uid,))
    house.each_works(taken.value.facts["alternatives"], member, extras=(projector.uid,))
    made = house.book(member, room, at(10.25), at(11))
    assert [(start, end) for _, start, end in house.occupied(made)] == [(at(10), at(11.5))]
    for start in (9.25, 11.25):
        with pytest.raises(SlotTaken):
            house.book(member, room, at(start), at(start + 0.5))
    house.book(member, room, at(11.75), at(12.5))


def test_of_two_requests_that_clash_only_one_can_ever_be_confirmed(house: House) -> None:
    room, one, other = house.room(rules={"approval": True}), house.member(), house.member()
    request = house.book(one, room, at(9), at(11))
    assert request.row["status"] == "pending"
    with pytest.raises(SlotTaken):
        house.book(other, room, at(10), at(12))
    for stranger, problem in ((one, NotFound), (other, NotFound), (house.staff("accountant"), NotAllowed)):
        with pytest.raises(problem):
            house.approve(request, by=stranger)
    for _ in range(2):
        assert house.approve(request, by=house.manager).status == "confirmed"
    with pytest.raises(SlotTaken):
        house.book(other, room, at(10), at(12))
    with pytest.raises(WrongState):
        house.refuse(request, by=house.manager)
    assert house.types_told(request) == ["booking.made", "booking.approved"]


def test_a_refused_request_frees_its_place_and_gives_its_credits_back(house: House) -> None:
    room, member = house.room(rules={"approval": True}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 120})
    request = house.book(member, room, at(9), at(11))
    assert house.credit(membership, "room") == 0
    for _ in range(2):
        assert house.refuse(request, by=house.manager).status == "refused"
    assert (house.occupied(), house.credit(membership, "room")) == ([], 120)
    assert house.types_told(request) == ["booking.made", "booking.refused"]
    house.book(house.member(), room, at(9), at(11))
    with pytest.raises(WrongState):
        house.approve(request, by=house.manager)


def test_a_request_nobody_answers_expires_when_it_would_begin(house: House) -> None:
    room, member = house.room(rules={"approval": True}), house.member()
    request = house.book(member, room, at(9), at(11))
    house.time_passes(at(9) - timedelta(seconds=1))
    assert house.booking(request).status == "pending"
    house.time_passes(at(9))
    expired = house.booking(request)
    assert (expired.status, expired.reason, expired.fee_cents, house.occupied()) == ("cancelled", "expired", 0, [])


def test_staff_book_for_a_member_by_the_rules_for_staff(house: House) -> None:
    rules = {"approval": True, "quota_day_minutes": 60, "lead_minutes": 2880, "audience": "staff"}
    room, member = house.room(rules=rules), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
    with pytest.raises(Refused):
        house.book(member, room, at(9), at(11))
    made = house.book(member, room, at(9), at(11), by=house.staff("front_desk"))
    booking = house.booking(made)
    assert (booking.member_id, booking.status) == (member.id, "confirmed")
    assert [part["source"] for part in booking.cover] == ["credit", "money"]
    assert house.credit(membership, "room") == 0
    assert house.cancel(made, by=member).status == "cancelled"
    with house.building() as session:
        elsewhere = a_space(session)
        foreign = saved(session, a_room(session, elsewhere, rules=rules))
    with pytest.raises(Refused):
        house.book(member, foreign, at(9), at(11), by=house.manager)


def test_members_are_checked_in_from_half_an_hour_before_until_the_end(house: House) -> None:
    room, member = house.room(), house.member()
    early, late = house.book(member, room, at(9), at(10)), house.book(member, room, at(10), at(11))
    house.now = at(8.5) - timedelta(seconds=1)
    with pytest.raises(Refused) as refused:
        house.check_in(early, by=member)
    assert refused.value.rule == "check_in_window"
    house.now = at(8.5)
    with pytest.raises(NotFound):
        house.check_in(early, by=house.member())
    for _ in range(2):
        assert house.check_in(early, by=member).checked_in_at == at(8.5)
    house.now = at(11)
    with pytest.raises(Refused):
        house.check_in(late, by=house.manager)
    assert house.types_told(early) == ["booking.made", "booking.checked_in"]
    house.time_passes()
    assert house.booking(early).status == "completed"
    assert house.types_told(early)[-1] == "booking.completed"


def test_the_desk_checks_a_member_in(house: House) -> None:
    made = house.book(house.member(), house.room(), at(9), at(10))
    house.now = at(9.5)
    assert house.check_in(made, by=house.staff("front_desk")).status == "checked_in"


def test_nobody_came_so_others_may_and_the_price_stays_due(house: House) -> None:
    room, member = house.room(rules={"no_show_after_minutes": 20}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
    made = house.book(member, room, at(9), at(11))
    house.time_passes(at(9) + timedelta(minutes=20) - timedelta(seconds=1))
    assert house.booking(made).status == "confirmed"
    house.time_passes(at(9) + timedelta(minutes=20))
    assert house.booking(made).status == "no_show"
    assert house.types_told(made) == ["booking.made", "booking.no_show"]
    assert (house.credit(membership, "room"), house.booking(made).gross_cents) == (0, 1210)
    house.book(house.member(), room, at(9.5), at(11))
    for change in (house.cancel, house.check_in):
        with pytest.raises(WrongState):
            change(made, by=member)


def test_who_checked_in_is_no_no_show(house: House) -> None:
    room, member = house.room(rules={"no_show_after_minutes": 20}), house.member()
    made = house.book(member, room, at(9), at(11))
    house.now = at(9.25)
    house.check_in(made, by=member)
    house.time_passes(at(10.9))
    assert house.booking(made).status == "checked_in"
    house.time_passes(at(11))
    assert house.booking(made).status == "completed"


def test_where_nobody_checks_in_a_booking_is_completed_at_its_end(house: House) -> None:
    made = house.book(house.member(), house.room(), at(9), at(11))
    house.time_passes(at(11) - timedelta(seconds=1))
    assert house.booking(made).status == "confirmed"
    house.time_passes(at(11))
    assert house.booking(made).status == "completed"
    assert house.types_told(made) == ["booking.made", "booking.completed"]


def test_a_no_show_seen_only_after_the_end_is_still_one(house: House) -> None:
    made = house.book(house.member(), house.room(rules={"no_show_after_minutes": 20}), at(9), at(11))
    house.time_passes(at(15))
    assert house.booking(made).status == "no_show"


def test_what_staff_record_afterwards_was_no_no_show(house: House) -> None:
    """The connection was down this morning; whoever sat there did come."""
    room, member = house.room(rules={"no_show_after_minutes": 20}), house.member()
    house.now = at(12)
    made = house.book(member, room, at(9), at(11), by=house.manager)
    running = house.book(member, room, at(11), at(13), by=house.manager)
    house.time_passes()
    assert house.booking(made).status == "completed"
    assert house.booking(running).status == "confirmed"
    house.time_passes(at(13))
    assert house.booking(running).status == "completed"


def test_who_walks_in_books_the_running_step_and_has_the_grace_from_now(house: House) -> None:
    pool, member = house.pool(desks=1, rules={"no_show_after_minutes": 5}), house.member()
    house.now = at(9) + timedelta(minutes=7)
    made = house.book(member, pool, at(9), at(11))
    house.time_passes(at(9) + timedelta(minutes=12) - timedelta(seconds=1))
    assert house.booking(made).status == "confirmed"
    house.check_in(made, by=member)
    with pytest.raises(SlotTaken) as taken:
        house.book(house.member(), pool, at(9), at(11))
    house.each_works(taken.value.facts["alternatives"], house.member())
    late = house.book(member, house.pool(rules={"no_show_after_minutes": 5}), at(9), at(11))
    house.time_passes(at(9) + timedelta(minutes=18))
    assert (house.booking(made).status, house.booking(late).status) == ("checked_in", "no_show")


def test_a_booking_moved_to_the_running_step_is_not_missed_at_once(house: House) -> None:
    pool, member = house.pool(rules={"no_show_after_minutes": 5}), house.member()
    made = house.book(member, pool, at(14), at(16))
    house.now = at(9) + timedelta(minutes=7)
    house.move(made, by=member, start=at(9))
    house.time_passes(at(9) + timedelta(minutes=11))
    assert house.booking(made).status == "confirmed"


def test_nothing_stays_due_of_a_booking_that_is_over(house: House) -> None:
    room, member = house.room(rules={"no_show_after_minutes": 20}), house.member()
    house.cancel(house.book(member, room, at(9), at(10)), by=member)
    house.book(member, room, at(9), at(10))
    house.time_passes(at(9.5))
    with house.building() as session:
        assert session.scalar(select(func.count()).select_from(Due)) == 0


def test_making_a_booking_takes_few_statements(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """lock the person, look, claim, tell: four; one more to draw credits."""
    pool, member = house.pool(), house.member()
    with house.building() as session:
        a_membership(session, member, house.space, included={"desk_pool": 60})
    house.book(member, pool, at(9), at(10), keep=False)
    person, execute = house.person(member), Cursor.execute
    seen: list[str] = []

    def noting(cursor: Any, statement: Any, *rest: Any, **options: Any) -> Any:
        seen.append(str(statement))
        return execute(cursor, statement, *rest, **options)

    monkeypatch.setattr(Cursor, "execute", noting)
    for expected in (5, 4):
        with house.make_session() as session, session.begin():
            session.info["scope"] = person.scope
            session.connection()
            seen.clear()
            make_booking(session, a_wish(pool, at(9), at(10)), person=person, now=house.now)
            assert len(seen) == expected, seen
