"""Closing a space: who is displaced is shown first, then cancelled for free, offered something else, and told."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from app.booking.closing import MOST_WITH_ALTERNATIVES, AlreadyClosed
from app.booking.making import make_booking
from app.booking.models import Closure, Resource
from app.errors import Invalid, NotFound, SlotTaken
from app.events.models import OutboxRow
from tests.booking.house import House, a_wish, at, uid_of
from tests.builders import a_manager, a_membership, a_resource, a_room, a_space, a_unit
from tests.waiting import until

BLOCKED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%occupancy%'
"""


def outside(alternatives: list[dict[str, str]], start: datetime, end: datetime) -> bool:
    instants = [(datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])) for each in alternatives]
    return all(until <= start or since >= end for since, until in instants)


def test_a_preview_shows_whom_it_displaces_and_changes_nothing(house: House) -> None:
    room, member = house.room(), house.member()
    made = house.book(member, room, at(9), at(11))
    house.book(member, room, at(14), at(15))
    before = house.snapshot(made)
    (displaced,) = house.preview_closure(at(10), at(13))
    assert displaced.booking.uid == uid_of(made)
    assert outside(displaced.alternatives, at(10), at(13))
    assert house.snapshot(made) == before
    with house.building() as session:
        assert session.scalar(select(func.count()).select_from(Closure)) == 0
    house.cancel(made, by=member)
    house.each_works(displaced.alternatives, member, at_least=3)


def test_publishing_cancels_for_free_gives_back_offers_and_tells(house: House) -> None:
    room, pool = house.room(rules={"cancellation": [[0, 100]]}), house.pool()
    member, other = house.member(), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 60})
    displaced_one = house.book(member, room, at(9), at(11))
    displaced_two = house.book(other, pool, at(8), at(18))
    spared = house.book(other, room, at(9, day=2), at(11, day=2))
    house.now = at(7)
    closure, displaced = house.close(at(8), at(18), reason="Water")
    assert [each.booking.uid for each in displaced] == [uid_of(displaced_two), uid_of(displaced_one)]
    for each, owner in zip(displaced, (other, member), strict=True):
        booking = house.booking(each.booking)
        assert (booking.status, booking.reason, booking.fee_cents) == ("cancelled", "closure", 0)
        assert outside(each.alternatives, at(8), at(18))
        house.each_works(each.alternatives, owner, at_least=2)
        assert house.told(booking.uid)[-1][2]["alternatives"] == each.alternatives
    assert house.credit(membership, "room") == 60
    assert house.booking(spared).status == "confirmed"
    _, name, data = house.told(house.space.uid)[-1]
    assert (name, data["closure_id"], len(data["displaced"])) == ("space.closed", str(closure.uid), 2)
    for resource in (room, pool):
        with pytest.raises(SlotTaken) as taken:
            house.book(member, resource, at(12), at(13))
        house.each_works(taken.value.facts["alternatives"], member)


def test_lifting_opens_again_once_and_whoever_waits_is_offered(house: House) -> None:
    room, member = house.room(), house.member()
    closure, _ = house.close(at(8), at(18))
    entry = house.wait(member, room, at(9), at(11))
    for _ in range(2):
        assert house.lift(closure).lifted_at == house.now
    assert house.occupied() == []
    assert [name for _, name, _ in house.told(house.space.uid)] == ["space.closed", "space.reopened"]
    house.time_passes()
    assert house.entry(entry).status == "offered"
    house.close(at(8), at(18))


def test_maintenance_of_some_units_leaves_the_others(house: House) -> None:
    with house.building() as session:
        desks = [a_unit(session, house.space) for _ in range(2)]
        pool = a_resource(session, house.space, kind="desk_pool", units=desks)
    made = house.book(member := house.member(), pool, at(9), at(11))
    broken = next(desk for desk in desks if desk.id == made.row["unit_ids"][0])
    _, (displaced,) = house.close(at(8), at(18), kind="maintenance", unit_ids=(broken.uid,))
    assert displaced.alternatives[0] == {
        "resource_id": str(pool.uid), "start": "2026-03-03T08:00:00Z", "end": "2026-03-03T10:00:00Z",
    }  # fmt: skip
    house.each_works(displaced.alternatives, member)
    assert house.book(member, pool, at(9), at(11)).row["unit_ids"] != [broken.id]


def test_the_extras_of_the_displaced_count_for_what_they_are_offered(house: House) -> None:
    member = house.member()
    with house.building() as session:
        projector = a_resource(session, house.space, kind="equipment", units=[a_unit(session, house.space)])
        rooms = [a_room(session, house.space) for _ in range(2)]
        (wall,) = _units_of(session, rooms[0])
    house.book(member, rooms[0], at(9), at(11), extras=(projector.uid,))
    house.book(house.member(), rooms[1], at(11), at(13), extras=(projector.uid,))
    (displaced,) = house.preview_closure(at(8), at(12), unit_ids=(wall,))
    house.cancel(displaced.booking, by=member)
    house.each_works(displaced.alternatives, member, extras=(projector.uid,))


def _units_of(session: object, room: Resource) -> list[object]:
    from app.booking.models import ResourceUnit, Unit

    query = select(Unit.uid).join(ResourceUnit, ResourceUnit.unit_id == Unit.id)
    return list(session.scalars(query.where(ResourceUnit.resource_id == room.id)))  # type: ignore[attr-defined]


def test_closing_at_noon_what_was_used_in_the_morning(house: House) -> None:
    """The morning is over and stays as it was; what runs and what comes is displaced."""
    room, pool = house.room(rules={"buffer_after_minutes": 90}), house.pool(rules={"no_show_after_minutes": 15})
    member = house.member()
    over, missed = house.book(member, room, at(9), at(11)), house.book(member, pool, at(8), at(18))
    running, coming = house.book(member, pool, at(9), at(18)), house.book(member, pool, at(14), at(15))
    house.now = at(9)
    house.check_in(running, by=member)
    house.time_passes(at(12))
    _, displaced = house.close(at(8), at(18))
    assert {each.booking.uid for each in displaced} == {uid_of(running), uid_of(coming)}
    assert [house.booking(made).status for made in (over, missed)] == ["completed", "no_show"]
    for resource in (room, pool):
        with pytest.raises(SlotTaken):
            house.book(member, resource, at(13), at(14))


def test_what_is_over_but_not_yet_marked_so_is_not_displaced(house: House) -> None:
    """The timekeeper was stopped; the booking is over all the same."""
    room, member = house.room(rules={"buffer_after_minutes": 90}), house.member()
    over = house.book(member, room, at(9), at(11))
    house.now = at(12)
    assert house.preview_closure(at(12), at(18)) == []
    _, displaced = house.close(at(12), at(18))
    assert (displaced, house.booking(over).status) == ([], "confirmed")


def test_bookings_of_a_resource_no_longer_offered_are_displaced_too(house: House) -> None:
    room = house.room()
    made = house.book(house.member(), room, at(9), at(11))
    with house.building() as session:
        session.get_one(Resource, room.id).archived_at = house.now
    _, (displaced,) = house.close(at(8), at(18))
    assert (displaced.booking.uid, displaced.alternatives) == (uid_of(made), [])


def test_requests_and_holds_are_displaced_too(house: House) -> None:
    asking, room = house.room(rules={"approval": True}), house.room()
    request = house.book(house.member(), asking, at(9), at(11))
    made = house.book(holder := house.member(), room, at(9), at(11))
    entry = house.wait(house.member(), room, at(9), at(11))
    house.cancel(made, by=holder)
    house.time_passes()
    hold = house.offer_to(entry)
    _, displaced = house.close(at(8), at(18))
    assert {each.booking.uid for each in displaced} == {uid_of(request), hold.uid}


def test_what_is_closed_already_is_not_closed_twice(house: House) -> None:
    house.room()
    house.close(at(8), at(12))
    with house.building() as session:
        before = session.scalar(select(func.count()).select_from(OutboxRow))
    with pytest.raises(AlreadyClosed):
        house.close(at(11), at(18))
    house.close(at(12), at(18))
    with house.building() as session:
        assert session.scalar(select(func.count()).select_from(OutboxRow)) == before + 1


def test_only_a_period_to_come_and_units_of_the_space(house: House) -> None:
    house.room()
    with house.building() as session:
        foreign = a_unit(session, a_space(session))
    for start, end, units in [
        (at(8, day=-1), at(18, day=-1), None), (at(9), at(9), None), (at(9), at(10), (foreign.uid,)),
    ]:  # fmt: skip
        with pytest.raises(Invalid):
            house.close(start, end, unit_ids=units)


def test_a_manager_of_another_space_does_not_know_of_it(house: House) -> None:
    house.room()
    closure, _ = house.close(at(8), at(12))
    with house.building() as session:
        house.manager = a_manager(session, a_space(session))
    with pytest.raises(NotFound):
        house.lift(closure)


def test_a_closure_lifted_halfway_frees_what_is_left(house: House) -> None:
    room, member = house.room(), house.member()
    closure, _ = house.close(at(8), at(18))
    house.now = at(12)
    house.lift(closure)
    house.book(member, room, at(12), at(13))
    house.now += timedelta(hours=2)
    assert house.lift(closure).lifted_at == at(12)


def is_waiting(house: House) -> bool:
    """In a transaction of its own each time: within one, PostgreSQL shows the same activity again."""
    with house.building() as session:
        return bool(session.connection().execute(text(BLOCKED)).scalar())


def test_a_booking_that_slips_in_while_closing_is_displaced_too(house: House) -> None:
    """It is claimed, not yet committed, when the closure looks: the closure waits for it, and looks again."""
    with house.building() as session:
        desks = [a_unit(session, house.space) for _ in range(2)]
        pool = a_resource(session, house.space, kind="desk_pool", units=desks)
    member, closed = house.member(), []
    with house.seen_by(member) as (session, person):
        made = make_booking(session, a_wish(pool, at(9), at(11)), person=person, now=house.now)
        closing = threading.Thread(target=lambda: closed.append(house.close(at(8), at(18))))
        closing.start()
        until(lambda: is_waiting(house), describe="the closure waits")
    closing.join(10)
    ((_, displaced),) = closed
    assert [each.booking.uid for each in displaced] == [uid_of(made)]
    assert house.booking(made).status == "cancelled"


def test_only_the_first_displaced_are_offered_something_and_all_are_told(house: House) -> None:
    pool, members = house.pool(desks=1), [house.member() for _ in range(2)]
    for hour in range(MOST_WITH_ALTERNATIVES + 2):
        start = at(8 + hour % 10, day=1 + hour // 10)
        house.book(members[hour % 2], pool, start, start + timedelta(hours=1))
    shown = house.preview_closure(at(8), at(18, day=6))
    _, displaced = house.close(at(8), at(18, day=6))
    for each in (shown, displaced):
        assert [bool(one.alternatives) for one in each] == [True] * MOST_WITH_ALTERNATIVES + [False] * 2
    assert house.told(displaced[-1].booking.uid)[-1][2]["alternatives"] == []
