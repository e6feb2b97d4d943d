"""Bookings that repeat: by the clock on the wall, all of them or none, each a booking of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.booking.recurrence import Recurrence
from app.booking.repeating import SeriesRefused, SeriesTaken
from app.errors import NotFound
from tests.booking.house import MONDAY, ZONE, House, at, uid_of
from tests.builders import a_membership, a_room, a_space


def weekly(count: int, *, except_days: tuple[date, ...] = ()) -> Recurrence:
    return Recurrence(freq="weekly", count=count, except_days=frozenset(except_days))


@pytest.mark.parametrize(("timezone", "first"), [
    ("Europe/Brussels", date(2026, 3, 16)), ("Europe/Brussels", date(2026, 10, 12)),
    ("Indian/Reunion", date(2026, 3, 16)), ("America/Cayenne", date(2026, 10, 12)),
    ("America/New_York", date(2026, 3, 2)),
])  # fmt: skip
def test_nine_stays_nine_across_a_clock_change(house: House, timezone: str, first: date) -> None:
    zone, member = ZoneInfo(timezone), house.member()
    with house.building() as session:
        room = a_room(session, a_space(session, timezone=timezone))
    start, end = (datetime(first.year, first.month, first.day, hour, tzinfo=zone).astimezone(UTC) for hour in (9, 11))
    made = house.repeat(member, room, start, end, recurrence=weekly(4))
    walls = [(each.row["starts_at"].astimezone(zone), each.row["ends_at"].astimezone(zone)) for each in made]
    assert [(start.hour, end.hour, start.weekday()) for start, end in walls] == [(9, 11, first.weekday())] * 4
    assert len({each.row["starts_at"].hour for each in made}) == (
        2 if timezone.startswith(("Europe", "America/N")) else 1
    )
    assert {each.row["gross_cents"] for each in made} == {1210}


def test_every_date_is_a_booking_of_its_own(house: House) -> None:
    room, member = house.room(), house.member()
    made = house.repeat(member, room, at(9), at(11), recurrence=weekly(3), title="Choir")
    assert len({each.describe()["series_id"] for each in made}) == 1
    house.cancel(made[1], by=member)
    house.move(made[2], by=house.manager, start=at(14, day=15))
    assert [house.booking(each).status for each in made] == ["confirmed", "cancelled", "confirmed"]
    assert [house.types_told(each) for each in made] == [
        ["booking.made"], ["booking.made", "booking.cancelled"], ["booking.made", "booking.moved"],
    ]  # fmt: skip


def test_all_or_nothing_and_each_date_that_will_not_do_is_named(house: House) -> None:
    room, member = house.room(), house.member()
    house.book(house.member(), room, at(10, day=8), at(12, day=8))
    house.book(house.member(), room, at(8, day=22), at(18, day=22))
    before = house.occupied()
    with pytest.raises(SeriesTaken) as taken:
        house.repeat(member, room, at(9), at(11), recurrence=weekly(5))
    dates = taken.value.facts["dates"]
    assert [(each["day"], each["code"]) for each in dates] == [
        ("2026-03-10", "slot_taken"),
        ("2026-03-24", "slot_taken"),
    ]
    for each in dates:
        house.each_works(each["alternatives"], member)
    assert house.occupied() == before
    left_out = tuple(date.fromisoformat(each["day"]) for each in dates)
    made = house.repeat(member, room, at(9), at(11), recurrence=weekly(5, except_days=left_out))
    assert [each.row["starts_at"].astimezone(ZONE).date().isoformat() for each in made] == [
        "2026-03-03", "2026-03-17", "2026-03-31",
    ]  # fmt: skip


def test_a_rule_that_refuses_some_dates_names_them(house: House) -> None:
    room, member = house.room(rules={"horizon_days": 10}), house.member()
    with pytest.raises(SeriesRefused) as refused:
        house.repeat(member, room, at(9), at(11), recurrence=weekly(3))
    assert (refused.value.rule, [each["day"] for each in refused.value.facts["dates"]]) == ("horizon", ["2026-03-17"])
    assert house.occupied() == []


def test_a_preview_shows_every_date_and_books_none(house: House) -> None:
    room, member = house.room(), house.member()
    house.book(house.member(), room, at(10, day=8), at(12, day=8))
    quoted = house.quote(member, room, at(9), at(11), recurrence=weekly(3))
    assert [each["refusal"] and each["refusal"]["code"] for each in quoted["dates"]] == [None, "slot_taken", None]
    assert (quoted["total"]["amount_cents"], quoted["refusal"]["code"]) == (2420, "slot_taken")
    assert len(house.occupied()) == 1


def test_the_dates_share_quota_and_credits(house: House) -> None:
    room, member = house.room(rules={"quota_month_minutes": 360}), house.member()
    with house.building() as session:
        membership = a_membership(session, member, house.space, included={"room": 180})
    with pytest.raises(SeriesRefused) as refused:
        house.repeat(member, room, at(9), at(11), recurrence=Recurrence(freq="daily", count=4))
    assert [each["day"] for each in refused.value.facts["dates"]] == ["2026-03-06"]
    made = house.repeat(member, room, at(9), at(11), recurrence=Recurrence(freq="daily", count=3))
    assert [[(part["source"], part.get("minutes")) for part in each.row["cover"]] for each in made] == [
        [("credit", 120)], [("credit", 60), ("money", None)], [("money", None)],
    ]  # fmt: skip
    assert house.credit(membership, "room") == 0
    for each in made:
        house.cancel(each, by=member)
    assert house.credit(membership, "room") == 180


def test_a_time_the_clock_jumps_over_is_named_not_moved(house: House) -> None:
    with house.building() as session:
        room = a_room(session, a_space(session, opens="00:00", closes="00:00"))
    night = Recurrence(freq="daily", until=date(2026, 3, 30))
    with pytest.raises(SeriesRefused) as refused:
        house.repeat(house.member(), room, at(2.25, day=25), at(3.5, day=25), recurrence=night)
    assert [(each["day"], each["rule"]) for each in refused.value.facts["dates"]] == [
        ("2026-03-29", "nonexistent_local_time")
    ]


def test_a_pool_gives_the_same_desk_on_every_date(house: House) -> None:
    pool, member = house.pool(desks=3), house.member()
    for day in (8, 15):
        house.book(house.member(), pool, at(8, day=day), at(9, day=day))
    made = house.repeat(member, pool, at(9), at(11), recurrence=weekly(3))
    assert len({tuple(each.row["unit_ids"]) for each in made}) == 1


def test_nobody_else_sees_it(house: House) -> None:
    made = house.repeat(house.member(), house.room(), at(9), at(11), recurrence=weekly(2))
    with pytest.raises(NotFound):
        house.cancel(made[0], by=house.member())
    assert house.booking(made[0]).starts_at.date() == MONDAY.replace(day=3)
    assert uid_of(made[0]) != uid_of(made[1])


def test_only_the_first_three_dates_that_fail_come_with_alternatives(house: House) -> None:
    room, other = house.room(), house.member()
    for day in range(1, 6):
        house.book(other, room, at(9, day=day), at(11, day=day))
    wish = {"recurrence": Recurrence(freq="daily", count=6)}
    member = house.member()
    dates = house.quote(member, room, at(9), at(10), **wish)["dates"]
    with pytest.raises(SeriesTaken) as taken:
        house.repeat(member, room, at(9), at(10), **wish)
    assert dates[5]["refusal"] is None
    for refusals in ([each["refusal"] for each in dates[:5]], taken.value.facts["dates"]):
        assert [bool(each["alternatives"]) for each in refusals] == [True, True, True, False, False]
