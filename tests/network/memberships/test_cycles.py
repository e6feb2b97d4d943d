"""Where cycles begin and end: months that lack a day, leap years, weeks, terms, the two clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.network.memberships.cycles import ANCHORS, CYCLES, Cycle, cycle_of, day_begins, local_day, longest

ANY_START = date(2026, 1, 20)


def d(text: str) -> date:
    return date.fromisoformat(text)


# day, cycle, months, anchor, starts_on, first, last
CASES = [
    ("2026-03-15", "month", 1, "calendar", "2026-01-20", "2026-03-01", "2026-03-31"),
    ("2026-02-28", "month", 1, "calendar", "2026-01-20", "2026-02-01", "2026-02-28"),
    ("2028-02-29", "month", 1, "calendar", "2026-01-20", "2028-02-01", "2028-02-29"),
    ("2026-12-31", "month", 1, "calendar", "2026-01-20", "2026-12-01", "2026-12-31"),
    ("2026-03-19", "month", 1, "start", "2026-01-20", "2026-02-20", "2026-03-19"),
    ("2026-03-20", "month", 1, "start", "2026-01-20", "2026-03-20", "2026-04-19"),
    ("2026-02-27", "month", 1, "start", "2026-01-31", "2026-01-31", "2026-02-27"),
    ("2026-02-28", "month", 1, "start", "2026-01-31", "2026-02-28", "2026-03-30"),
    ("2026-03-31", "month", 1, "start", "2026-01-31", "2026-03-31", "2026-04-29"),
    ("2026-04-30", "month", 1, "start", "2026-01-31", "2026-04-30", "2026-05-30"),
    ("2026-03-01", "month", 1, "start", "2026-01-30", "2026-02-28", "2026-03-29"),
    ("2028-02-29", "month", 1, "start", "2027-12-31", "2028-02-29", "2028-03-30"),
    ("2029-02-28", "term", 12, "start", "2028-02-29", "2029-02-28", "2030-02-27"),
    ("2032-02-29", "term", 12, "start", "2028-02-29", "2032-02-29", "2033-02-27"),
    ("2032-02-28", "term", 12, "start", "2028-02-29", "2031-02-28", "2032-02-28"),
    ("2026-05-15", "term", 3, "calendar", "2026-01-20", "2026-04-01", "2026-06-30"),
    ("2026-12-31", "term", 6, "calendar", "2026-01-20", "2026-07-01", "2026-12-31"),
    ("2026-05-15", "term", 12, "calendar", "2026-01-20", "2026-01-01", "2026-12-31"),
    ("2026-05-15", "term", 3, "start", "2026-01-20", "2026-04-20", "2026-07-19"),
    ("2026-03-01", "week", 1, "calendar", "2026-01-20", "2026-02-23", "2026-03-01"),
    ("2027-01-01", "week", 1, "calendar", "2026-01-20", "2026-12-28", "2027-01-03"),
    ("2026-03-01", "week", 1, "start", "2026-01-20", "2026-02-24", "2026-03-02"),
    ("2026-01-20", "week", 1, "start", "2026-01-20", "2026-01-20", "2026-01-26"),
]


@pytest.mark.parametrize(("day", "cycle", "months", "anchor", "starts_on", "first", "last"), CASES)
def test_the_cycle_of_a_day(
    day: str, cycle: str, months: int, anchor: str, starts_on: str, first: str, last: str
) -> None:
    found = cycle_of(d(day), cycle=cycle, cycle_months=months, anchor=anchor, starts_on=d(starts_on))
    assert found == Cycle(d(first), d(last))


@settings(max_examples=200, deadline=None)
@given(
    day=st.dates(date(2020, 1, 1), date(2040, 12, 31)),
    starts_on=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    cycle=st.sampled_from(CYCLES),
    anchor=st.sampled_from(ANCHORS),
    months=st.integers(1, 60),
)
def test_cycles_follow_each_other_without_a_gap_and_hold_their_days(
    day: date, starts_on: date, cycle: str, anchor: str, months: int
) -> None:
    def of(any_day: date) -> Cycle:
        return cycle_of(any_day, cycle=cycle, cycle_months=months, anchor=anchor, starts_on=starts_on)

    found = of(day)
    assert found.first <= day <= found.last
    assert of(found.first) == of(found.last) == found
    assert of(found.last + timedelta(days=1)).first == found.last + timedelta(days=1)
    assert of(found.first - timedelta(days=1)).last == found.first - timedelta(days=1)
    assert 1 <= found.position(day) <= found.days <= longest(cycle, months)
    if anchor == "start":
        assert of(starts_on).first == starts_on


@pytest.mark.parametrize(("cycle", "months", "anchor"), [("day", 1, "start"), ("term", 0, "start"), ("month", 1, "x")])
def test_an_unknown_cycle_is_a_mistake_of_the_programmer(cycle: str, months: int, anchor: str) -> None:
    with pytest.raises(ValueError, match="no such cycle"):
        cycle_of(ANY_START, cycle=cycle, cycle_months=months, anchor=anchor, starts_on=ANY_START)


# A local day, its zone, the instant at which it begins: the clocks change on 29 March and 25 October 2026 in Europe;
# Cairo's jump over midnight itself; Cayenne and Saint-Denis are French law under other clocks.
MIDNIGHTS = [
    ("2026-03-29", "Europe/Brussels", "2026-03-28T23:00:00+00:00"),
    ("2026-03-30", "Europe/Brussels", "2026-03-29T22:00:00+00:00"),
    ("2026-10-25", "Europe/Paris", "2026-10-24T22:00:00+00:00"),
    ("2026-10-26", "Europe/Paris", "2026-10-25T23:00:00+00:00"),
    ("2026-11-01", "America/Cayenne", "2026-11-01T03:00:00+00:00"),
    ("2026-11-01", "Indian/Reunion", "2026-10-31T20:00:00+00:00"),
    ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00:00+00:00"),
]


@pytest.mark.parametrize(("day", "zone", "instant"), MIDNIGHTS)
def test_a_day_begins_at_its_local_midnight(day: str, zone: str, instant: str) -> None:
    begins = day_begins(d(day), ZoneInfo(zone))
    assert begins == datetime.fromisoformat(instant)
    assert local_day(begins, ZoneInfo(zone)) == d(day)
    assert local_day(begins - timedelta(seconds=1), ZoneInfo(zone)) == d(day) - timedelta(days=1)


def test_the_day_on_the_wall_is_not_the_day_in_utc() -> None:
    assert local_day(datetime(2026, 3, 31, 22, 30, tzinfo=UTC), ZoneInfo("Europe/Brussels")) == d("2026-04-01")
    assert local_day(datetime(2026, 4, 1, 2, 30, tzinfo=UTC), ZoneInfo("America/Cayenne")) == d("2026-03-31")
