"""Every refusal names its rule and its limit, and offers what would succeed at that instant."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.booking.making import Made, make_booking
from app.booking.models import PriceList
from app.errors import Invalid, Refused, SlotTaken
from tests.booking.house import House, a_wish, at
from tests.builders import a_membership, a_room, a_unit


@pytest.mark.parametrize(("rules", "start", "end", "rule", "limit", "offered"), [
    ({}, at(17), at(19), "opening_hours", [["2026-03-03T08:00:00+01:00", "2026-03-03T18:00:00+01:00"]], 3),
    ({"audience": "members"}, at(9), at(10), "audience", "members", 0),
    ({"audience": "network"}, at(9), at(10), "audience", "network", 0),
    ({"audience": "staff"}, at(9), at(10), "audience", "staff", 0),
    ({}, at(9, day=-1), at(10, day=-1), "in_the_past", "2026-03-02T07:00:00+00:00", 3),
    ({"lead_minutes": 120}, at(9.75, day=0), at(10.75, day=0), "lead_time", 120, 3),
    ({"horizon_days": 3}, at(9, day=4), at(10, day=4), "horizon", 3, 0),
    ({"min_minutes": 120}, at(9), at(10), "min_duration", 120, 3),
    ({"max_minutes": 120}, at(9), at(14), "max_duration", 120, 3),
    ({"step_minutes": 30}, at(9.25), at(10.25), "step", 30, 3),
    ({"quota_day_minutes": 60}, at(9), at(11), "quota_day", 60, 0),
])  # fmt: skip
def test_each_rule_by_its_name_its_limit_and_what_would_do(
    house: House, rules: dict[str, Any], start: datetime, end: datetime, rule: str, limit: Any, offered: int
) -> None:
    room, member = house.room(rules=rules), house.member()
    with pytest.raises(Refused) as refused:
        house.book(member, room, start, end)
    assert (refused.value.rule, refused.value.limit) == (rule, limit)
    assert house.occupied() == []
    house.each_works(refused.value.facts["alternatives"], member, at_least=offered)


@pytest.mark.parametrize(("period", "earlier", "same_period", "next_period"), [
    ("day", (9, 1), (11, 1), (9, 2)),
    ("week", (9, 1), (9, 6), (9, 7)),  # Sunday still counts, Monday begins anew
    ("month", (9, 1), (9, 29), (9, 30)),  # 31 March, 1 April
])  # fmt: skip
def test_quotas_per_day_week_and_month(
    house: House, period: str, earlier: Any, same_period: Any, next_period: Any
) -> None:
    room, member = house.room(rules={f"quota_{period}_minutes": 180}), house.member()
    book = lambda moment, hours: house.book(  # noqa: E731
        member, room, at(moment[0], day=moment[1]), at(moment[0] + hours, day=moment[1])
    )
    first = book(earlier, 2)
    with pytest.raises(Refused) as refused:
        book(same_period, 1.25)
    assert (refused.value.rule, refused.value.limit) == (f"quota_{period}", 180)
    house.each_works(refused.value.facts["alternatives"], member, at_least=0)
    book(next_period, 1.25)
    book(same_period, 1)
    house.cancel(first, by=member)
    book(same_period if same_period[0] != 11 else (14, 1), 1) if period == "day" else None
    assert house.book(house.member(), room, at(15), at(17)).row["status"] == "confirmed"


def test_a_refused_length_is_brought_within_what_is_allowed(house: House) -> None:
    room, member = house.room(rules={"max_minutes": 120}), house.member()
    with pytest.raises(Refused) as refused:
        house.book(member, room, at(9), at(14))
    lengths = [
        datetime.fromisoformat(each["end"]) - datetime.fromisoformat(each["start"])
        for each in refused.value.facts["alternatives"]
    ]
    assert lengths == [timedelta(hours=2)] * 3


def test_too_many_people_are_sent_to_a_larger_room_only(house: House) -> None:
    member = house.member()
    with house.building() as session:
        small, large = (a_room(session, house.space, capacity=size) for size in (2, 6))
    people = tuple(f"guest{n}@example.org" for n in range(3))
    with pytest.raises(Refused) as refused:
        house.book(member, small, at(9), at(10), attendees=people)
    assert (refused.value.rule, refused.value.limit) == ("capacity", 2)
    assert {each["resource_id"] for each in refused.value.facts["alternatives"]} == {str(large.uid)}
    house.each_works(refused.value.facts["alternatives"], member, attendees=people)
    house.book(member, small, at(9), at(10), attendees=people[:2])


def test_credits_alone_that_do_not_suffice_are_refused(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        a_membership(session, member, house.space, included={"room": 60})
    with pytest.raises(Refused) as refused:
        house.book(member, room, at(9), at(11), cover=("credit",))
    assert (refused.value.rule, refused.value.limit, refused.value.facts["missing_minutes"]) == ("cover", 60, 60)
    house.each_works(refused.value.facts["alternatives"], member, at_least=0, cover=("credit",))
    house.book(member, room, at(9), at(10), cover=("credit",))


def test_without_a_price_for_that_day_nothing_is_sold(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        session.execute(update(PriceList).values(valid_until=date(2026, 3, 5)))
    with pytest.raises(Refused) as refused:
        house.book(member, room, at(9, day=3), at(10, day=3))
    assert refused.value.rule == "price"
    house.each_works(refused.value.facts["alternatives"], member, at_least=0)


def test_the_rules_are_asked_in_the_order_of_the_domain(house: House) -> None:
    """Each refusal stands until its cause is gone; then the next rule speaks."""
    room = house.room(rules={"audience": "members", "lead_minutes": 1440, "min_minutes": 60, "quota_day_minutes": 60})
    stranger, member = house.member(), house.member()
    with house.building() as session:
        a_membership(session, member, house.space)
    told = []
    for person, start, end in [
        (stranger, at(18.2, day=0), at(18.3, day=0)), (stranger, at(9, day=0), at(9.1, day=0)),
        (member, at(9, day=0), at(9.1, day=0)), (member, at(9), at(9.1)), (member, at(9), at(10.3)),
        (member, at(9), at(10.5)),
    ]:  # fmt: skip
        with pytest.raises(Refused) as refused:
            house.book(person, room, start, end)
        told.append(refused.value.rule)
    assert told == ["opening_hours", "audience", "lead_time", "min_duration", "step", "quota_day"]


def test_taken_offers_another_resource_another_time_another_day(house: House) -> None:
    member = house.member()
    with house.building() as session:
        room, other = (a_room(session, house.space) for _ in range(2))
        a_room(session, house.space, rules={"audience": "staff"})
    house.book(house.member(), room, at(9), at(17))
    with pytest.raises(SlotTaken) as taken:
        house.book(member, room, at(10), at(12))
    alternatives = taken.value.facts["alternatives"]
    assert alternatives[0] == {
        "resource_id": str(other.uid), "start": "2026-03-03T09:00:00Z", "end": "2026-03-03T11:00:00Z",
    }  # fmt: skip
    house.each_works(alternatives, member, at_least=3)
    assert house.types_told(house.book(member, other, at(10), at(12))) == ["booking.made"]


def test_no_alternative_after_the_membership_has_ended(house: House) -> None:
    room, member = house.room(rules={"audience": "members"}), house.member()
    with house.building() as session:
        a_membership(session, member, house.space, ends_on=at(0).date() + timedelta(days=1))
    house.book(house.manager, room, at(8), at(18))
    with pytest.raises(SlotTaken) as taken:
        house.book(member, room, at(9), at(10))
    house.each_works(taken.value.facts["alternatives"], member, at_least=0)


@pytest.mark.parametrize(("start", "end"), [(at(9), at(9)), (at(10), at(9))])
def test_an_end_before_its_start_is_wrong_input(house: House, start: datetime, end: datetime) -> None:
    with pytest.raises(Invalid):
        house.book(house.member(), house.room(), start, end)


def test_a_resource_without_units_is_always_taken(house: House) -> None:
    with house.building() as session:
        room = a_room(session, house.space)
        broken = a_unit(session, house.space)
        empty = a_room(session, house.space, unit=broken)
        broken.archived_at = house.now
    with pytest.raises(SlotTaken) as taken:
        house.book(house.member(), empty, at(9), at(10))
    assert {each["resource_id"] for each in taken.value.facts["alternatives"]} == {str(room.uid)}


def at_once(house: House, calls: list[Callable[[Any], Made]]) -> list[Made | Exception]:
    """Each call in a thread and a transaction of its own, from behind one barrier on open connections."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[Any], Made]) -> Made | Exception:
        with house.building() as session:
            session.connection()
            barrier.wait(20)
            try:
                with session.begin_nested():
                    return call(session)
            except (Refused, SlotTaken) as problem:
                return problem

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_one_person_at_two_screens_cannot_exceed_a_quota(house: House) -> None:
    pool, member = house.pool(desks=6, rules={"quota_day_minutes": 120}), house.member()
    person = house.person(member)

    def book(session: Any) -> Made:
        return make_booking(session, a_wish(pool, at(9), at(10)), person=person, now=house.now)

    answers = at_once(house, [book] * 6)
    assert sum(isinstance(answer, Made) for answer in answers) == 2
    assert {answer.rule for answer in answers if isinstance(answer, Refused)} == {"quota_day"}
    assert len(house.occupied()) == 2


def test_one_person_at_two_screens_cannot_spend_credits_twice(house: House) -> None:
    pool, member = house.pool(desks=6), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"desk_pool": 150})
    person = house.person(member)

    def book(session: Any) -> Made:
        return make_booking(session, a_wish(pool, at(9), at(10)), person=person, now=house.now)

    answers = at_once(house, [book] * 6)
    drawn = [
        part["minutes"] for made in answers if isinstance(made, Made) for part in made.row["cover"] if "minutes" in part
    ]
    assert (sorted(drawn), house.credit(membership, "desk_pool")) == ([30, 60, 60], 0)
