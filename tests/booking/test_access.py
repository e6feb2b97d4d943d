"""A plan holds in its access hours: within them it gives all it has, outside of them it is as if it were not held."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.booking.access import access_hours
from app.booking.finding.availability import Search, find_places
from app.booking.models import CancellationStep, PriceList
from app.errors import Refused
from tests.booking.house import House, at
from tests.booking.plans import a_business, a_team, minutes, signed
from tests.builders import LONG_AGO, saved

BRUSSELS, CAYENNE = ZoneInfo("Europe/Brussels"), ZoneInfo("America/Cayenne")
OFFICE_HOURS = [{"weekdays": [0, 1, 2, 3, 4], "from": "09:00", "until": "17:00"}]
NIGHTS = [{"weekdays": [5], "from": "22:00", "until": "02:30"}]
EVENINGS = [{"from": "18:00", "until": "24:00"}]
ALL_OF_MONDAY = [{"weekdays": [0], "from": "00:00", "until": "00:00"}]
SPLIT = [{"from": "08:00", "until": "12:00"}, {"from": "12:00", "until": "18:00"}]
ROUND_THE_CLOCK = [{"weekdays": [6], "from": "08:00", "until": "08:00"}]


def holds(access: list[dict[str, Any]] | None, start: str, end: str, zone: ZoneInfo = BRUSSELS) -> bool:
    hours = access_hours(access, zone)
    return hours is None or hours.is_open(*(datetime.fromisoformat(each).astimezone(UTC) for each in (start, end)))


@pytest.mark.parametrize(
    ("access", "start", "end", "expected", "why"),
    [
        (None, "2026-03-08T03:00+01:00", "2026-03-08T04:00+01:00", True, "null is at any time"),
        (OFFICE_HOURS, "2026-03-03T09:00+01:00", "2026-03-03T17:00+01:00", True, "half-open: until 17:00 is within"),
        (OFFICE_HOURS, "2026-03-03T08:59+01:00", "2026-03-03T10:00+01:00", False, "a minute too early"),
        (OFFICE_HOURS, "2026-03-03T16:00+01:00", "2026-03-03T17:01+01:00", False, "a minute too late"),
        (OFFICE_HOURS, "2026-03-07T10:00+01:00", "2026-03-07T11:00+01:00", False, "no such weekday"),
        (OFFICE_HOURS, "2026-03-03T16:00+01:00", "2026-03-04T10:00+01:00", False, "the night between is not"),
        (OFFICE_HOURS, "2026-03-27T09:00+01:00", "2026-03-27T10:00+01:00", True, "before the clock goes forward"),
        (OFFICE_HOURS, "2026-03-30T09:00+02:00", "2026-03-30T10:00+02:00", True, "and after: 09:00 stays 09:00"),
        (OFFICE_HOURS, "2026-03-30T09:00+01:00", "2026-03-30T16:30+01:00", False, "that is 17:30 on the wall"),
        (SPLIT, "2026-03-03T11:00+01:00", "2026-03-03T13:00+01:00", True, "windows that touch are one"),
        (EVENINGS, "2026-03-03T23:00+01:00", "2026-03-04T00:00+01:00", True, "24:00 is the end of the day"),
        (EVENINGS, "2026-03-03T23:00+01:00", "2026-03-04T00:01+01:00", False, "and no minute more"),
        (ALL_OF_MONDAY, "2026-03-02T00:00+01:00", "2026-03-03T00:00+01:00", True, "midnight to midnight"),
        (ALL_OF_MONDAY, "2026-03-02T23:00+01:00", "2026-03-03T01:00+01:00", False, "no Tuesday"),
        (ROUND_THE_CLOCK, "2026-03-08T20:00+01:00", "2026-03-09T08:00+01:00", True, "a day from eight to eight"),
        (NIGHTS, "2026-03-07T23:00+01:00", "2026-03-08T02:30+01:00", True, "past midnight, of the day it begins on"),
        (NIGHTS, "2026-03-08T22:00+01:00", "2026-03-08T23:00+01:00", False, "not of the day it ends on"),
        (NIGHTS, "2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", True, "02:30 is skipped: until the jump's end"),
        (NIGHTS, "2026-03-29T01:30+01:00", "2026-03-29T03:01+02:00", False, "and no further"),
        (NIGHTS, "2026-10-25T01:00+02:00", "2026-10-25T02:30+01:00", True, "02:30 comes twice: until the second"),
        (NIGHTS, "2026-10-25T01:00+02:00", "2026-10-25T02:31+01:00", False, "and no further"),
    ],
)
def test_a_plan_holds_for_what_lies_wholly_in_its_hours(
    access: list[dict[str, Any]] | None, start: str, end: str, expected: bool, why: str
) -> None:
    assert holds(access, start, end) is expected, why


def test_hours_are_local_to_the_space() -> None:
    assert holds(OFFICE_HOURS, "2026-03-03T12:00Z", "2026-03-03T20:00Z", CAYENNE)
    assert not holds(OFFICE_HOURS, "2026-03-03T08:00Z", "2026-03-03T10:00Z", CAYENNE)


def test_where_members_only_may_book_it_is_refused_with_the_hours_and_alternatives_within(house: House) -> None:
    room, member = house.room(rules={"audience": "members"}), house.member()
    with house.building() as session:
        signed(session, member, house.space, access=OFFICE_HOURS, credits=[minutes("room", 600)])
    house.book(member, room, at(9), at(10))
    with pytest.raises(Refused) as refused:
        house.book(member, room, at(16), at(18))
    assert refused.value.rule == "access_hours"
    assert refused.value.facts["limit"] == [["2026-03-03T09:00:00+01:00", "2026-03-03T17:00:00+01:00"]]
    found = refused.value.facts["alternatives"]
    house.each_works(found, member)
    assert all(holds(OFFICE_HOURS, each["start"], each["end"]) for each in found)
    with pytest.raises(Refused) as stranger:
        house.book(house.member(), room, at(16), at(18))
    assert stranger.value.rule == "audience"


def test_where_everybody_may_book_it_has_the_public_price_and_nothing_of_the_plan(house: House) -> None:
    room, member = house.room(), house.member()
    with house.building() as session:
        company = a_business(session, country="BE")
        session.add(PriceList(resource_id=room.id, audience="members", valid_from=LONG_AGO, hour_tiers=[[None, 300]]))
        saved(session, CancellationStep(resource_id=room.id, audience="members", hours_before=0, percent=10))
        terms = {"access": OFFICE_HOURS, "credits": [minutes("room", 30)], "discounts": [{"kind": "*", "percent": 50}]}
        membership = signed(session, member, house.space, party=company, name="Office hours", **terms)
    inside, outside = (house.quote(member, room, at(hour), at(hour + 1)) for hour in (10, 17))
    assert (inside["total"]["net_cents"], [each["source"] for each in inside["cover"]]) == (150, ["credit", "money"])
    assert (outside["total"]["net_cents"], [each["source"] for each in outside["cover"]]) == (500, ["money"])
    assert (inside["cancellation"][0]["percent"], outside["cancellation"][0]["percent"]) == (10, 0)
    hours = [["2026-03-03T09:00:00+01:00", "2026-03-03T17:00:00+01:00"]]
    assert inside["outside_access"] == []
    assert outside["outside_access"] == [{"plan": "Office hours", "access": hours}]
    with house.seen_by(member) as (session, person):
        for hour, quoted in ((10, inside), (17, outside)):
            search = Search(start=at(hour), end=at(hour + 1), kind="room")
            (place,) = find_places(session, search, person=person, now=house.now)
            assert place.price.gross_cents == quoted["total"]["amount_cents"]
    made = house.book(member, room, at(10), at(11))
    house.move(made, by=member, start=at(17))
    told = [(data["payer_id"], data["gross_cents"]) for _, _, data in house.told(made.row["uid"])]
    assert told == [(str(company.uid), 182), (None, 605)]  # 150 and 31.5 of VAT; who pays the plan pays its hours
    with house.building() as session:
        entries = session.connection().exec_driver_sql("SELECT sum(minutes) FROM credit_entry").scalar()
    assert entries == 0, f"of {membership.id}: drawn for the hour within, given back for the one outside"


def test_of_several_plans_those_count_that_hold_and_a_team_s_alike(house: House) -> None:
    room, member, mate = house.room(rules={"audience": "members"}), house.member(), house.member()
    with house.building() as session:
        team = a_team(session, house.space, [member, mate], answers=member)
        signed(session, member, house.space, team=team, name="Team", access=[{"from": "12:00", "until": "18:00"}],
               discounts=[{"kind": "*", "percent": 20}])  # fmt: skip
        signed(session, member, house.space, name="Own", access=[{"from": "08:00", "until": "13:00"}],
               discounts=[{"kind": "*", "percent": 50}])  # fmt: skip
    nets = {hour: house.quote(member, room, at(hour), at(hour + 1))["total"]["net_cents"] for hour in (8, 12, 14)}
    assert nets == {8: 250, 12: 250, 14: 400}
    with pytest.raises(Refused) as refused:
        house.book(member, room, at(11), at(15))  # no single plan holds for all of it
    assert refused.value.rule == "access_hours"
    assert [row[0][11:16] for row in refused.value.facts["limit"]] == ["08:00", "12:00"]
    house.each_works(refused.value.facts["alternatives"], member)
    assert house.quote(mate, room, at(14), at(15))["total"]["net_cents"] == 400
    with pytest.raises(Refused):
        house.book(mate, room, at(9), at(10))


def test_staff_may_book_at_any_hour_of_the_space(house: House) -> None:
    room, member = house.room(rules={"audience": "members"}), house.member()
    with house.building() as session:
        signed(session, member, house.space, access=OFFICE_HOURS, credits=[minutes("room", 600)])
    made = house.book(member, room, at(17), at(18), by=house.manager)
    assert [part["source"] for part in made.row["cover"]] == ["money"]
