from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.recurrence import NONEXISTENT, Occurrence, Recurrence, expand
from app.errors import Invalid

BRUSSELS = ZoneInfo("Europe/Brussels")
ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Brussels", "Europe/Paris", "Indian/Reunion", "America/Cayenne", "America/New_York")
]


def occurrences(start: str, *, minutes: int = 60, zone: ZoneInfo = BRUSSELS, **pattern: Any) -> list[Occurrence]:
    """Expand a pattern from a time on the wall; `minutes` are those that pass the first time."""
    first = datetime.fromisoformat(start).replace(tzinfo=zone).astimezone(UTC)
    return expand(Recurrence(**pattern), start=first, end=first + timedelta(minutes=minutes), zone=zone)


def days(found: list[Occurrence]) -> list[str]:
    return [occurrence.day.isoformat()[5:] for occurrence in found]


def test_daily_every_third_day() -> None:
    assert days(occurrences("2026-03-02 09:00", freq="daily", interval=3, count=4)) == [
        "03-02",
        "03-05",
        "03-08",
        "03-11",
    ]


def test_weekly_without_weekdays_keeps_that_of_the_start() -> None:
    assert days(occurrences("2026-03-04 09:00", freq="weekly", count=3)) == ["03-04", "03-11", "03-18"]


def test_weekly_on_several_weekdays_begins_in_the_week_of_the_start() -> None:
    found = occurrences("2026-03-04 09:00", freq="weekly", weekdays=(4, 0, 2), count=5)
    assert days(found) == ["03-04", "03-06", "03-09", "03-11", "03-13"]


def test_every_second_week_counts_weeks_from_monday() -> None:
    found = occurrences("2026-03-08 09:00", freq="weekly", interval=2, weekdays=(0, 6), count=3)
    assert days(found) == ["03-08", "03-16", "03-22"]


def test_a_start_on_another_weekday_is_not_a_date_of_the_series() -> None:
    assert days(occurrences("2026-03-02 09:00", freq="weekly", weekdays=(1,), count=2)) == ["03-03", "03-10"]


@pytest.mark.parametrize(
    ("start", "pattern", "expected"),
    [
        pytest.param("2026-01-15 09:00", {"count": 3}, ["01-15", "02-15", "03-15"], id="the fifteenth"),
        pytest.param(
            "2026-01-31 09:00", {"count": 4}, ["01-31", "03-31", "05-31", "07-31"], id="only months with a 31st"
        ),
        pytest.param("2026-11-30 09:00", {"count": 3}, ["11-30", "12-30", "01-30"], id="over the new year"),
        pytest.param(
            "2026-01-30 09:00",
            {"interval": 2, "until": date(2026, 7, 30)},
            ["01-30", "03-30", "05-30", "07-30"],
            id="until",
        ),
        pytest.param("2028-02-29 09:00", {"interval": 12, "until": date(2030, 2, 28)}, ["02-29"], id="a leap day"),
    ],
)
def test_monthly_keeps_the_day_of_the_month_and_skips_months_without_it(
    start: str, pattern: dict, expected: list[str]
) -> None:
    assert days(occurrences(start, freq="monthly", **pattern)) == expected


def test_until_is_included() -> None:
    assert days(occurrences("2026-03-02 23:30", freq="daily", until=date(2026, 3, 4))) == ["03-02", "03-03", "03-04"]


def test_days_left_out_still_count() -> None:
    found = occurrences("2026-03-02 09:00", freq="daily", count=3, except_days=frozenset({date(2026, 3, 3)}))
    assert days(found) == ["03-02", "03-04"]


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("freq", ["daily", "weekly"])
def test_nine_oclock_stays_nine_oclock_across_both_clock_changes(zone: ZoneInfo, freq: str) -> None:
    found = occurrences("2026-03-01 09:00", minutes=480, zone=zone, freq=freq, until=date(2026, 11, 30))
    walls = {(o.start.astimezone(zone).time(), o.end.astimezone(zone).time()) for o in found}
    assert walls == {(time(9), time(17))}
    assert {o.start.tzinfo for o in found} == {UTC}
    offsets = {o.start.astimezone(zone).utcoffset() for o in found}
    assert len(offsets) == (1 if zone.key in ("Indian/Reunion", "America/Cayenne") else 2)
    assert not any(o.problem for o in found)


@pytest.mark.parametrize(
    ("zone", "start", "day"),
    [
        pytest.param("Europe/Brussels", "2026-03-27 02:30", date(2026, 3, 29), id="Brussels"),
        pytest.param("Europe/Paris", "2026-03-27 02:00", date(2026, 3, 29), id="Paris"),
        pytest.param("America/New_York", "2026-03-06 02:30", date(2026, 3, 8), id="New York"),
    ],
)
def test_a_time_that_the_clock_jumps_over_is_a_problem_of_that_date_only(zone: str, start: str, day: date) -> None:
    found = occurrences(start, zone=ZoneInfo(zone), freq="daily", count=5)
    assert [o.day for o in found if o.problem] == [day]
    [problem] = [o for o in found if o.problem]
    assert problem.problem == NONEXISTENT
    assert problem.start.astimezone(ZoneInfo(zone)).time() == time(3)


def test_an_end_that_the_clock_jumps_over_is_a_problem_too() -> None:
    found = occurrences("2026-03-28 01:30", freq="daily", count=2)
    assert [o.problem for o in found] == [None, NONEXISTENT]


def test_the_day_has_no_jump_where_the_clock_never_changes() -> None:
    found = occurrences("2026-03-27 02:30", zone=ZoneInfo("Indian/Reunion"), freq="daily", count=366)
    assert not any(o.problem for o in found)


def test_a_time_shown_twice_is_the_first_unless_the_series_began_at_the_second() -> None:
    found = occurrences("2026-10-24 02:30", minutes=120, freq="daily", count=2)
    assert (found[1].start, found[1].end) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 3, 30, tzinfo=UTC),
    )
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    series = expand(Recurrence(freq="weekly", count=2), start=second, end=second + timedelta(hours=1), zone=BRUSSELS)
    assert series[0].start == second
    assert series[1].start == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)


def test_a_night_keeps_its_clock_times_and_so_changes_its_length() -> None:
    found = occurrences("2026-03-27 22:00", minutes=480, freq="daily", count=3)
    assert [(o.end - o.start) // timedelta(hours=1) for o in found] == [8, 7, 8]


@pytest.mark.parametrize(
    ("pattern", "field"),
    [
        pytest.param({"freq": "yearly", "count": 2}, "recurrence.freq", id="an unknown frequency"),
        pytest.param({"freq": "daily", "interval": 0, "count": 2}, "recurrence.interval", id="interval 0"),
        pytest.param({"freq": "daily", "interval": 13, "count": 2}, "recurrence.interval", id="interval 13"),
        pytest.param(
            {"freq": "daily", "weekdays": (0,), "count": 2}, "recurrence.weekdays", id="weekdays of a daily one"
        ),
        pytest.param({"freq": "weekly", "weekdays": (7,), "count": 2}, "recurrence.weekdays", id="an eighth weekday"),
        pytest.param({"freq": "daily"}, "recurrence.count", id="no end"),
        pytest.param({"freq": "daily", "count": 2, "until": date(2026, 4, 1)}, "recurrence.until", id="two ends"),
        pytest.param({"freq": "daily", "count": 0}, "recurrence.count", id="no occurrence"),
        pytest.param({"freq": "daily", "count": 367}, "recurrence.count", id="too many"),
        pytest.param({"freq": "monthly", "count": 26}, "recurrence.count", id="more months than two years"),
        pytest.param({"freq": "daily", "until": date(2026, 3, 1)}, "recurrence.until", id="until before the start"),
        pytest.param({"freq": "weekly", "until": date(2036, 3, 2)}, "recurrence.until", id="ten years"),
        pytest.param({"freq": "daily", "until": date(2028, 3, 1)}, "recurrence.until", id="two years of days"),
        pytest.param(
            {"freq": "daily", "count": 1, "except_days": frozenset({date(2026, 3, 2)})}, "recurrence", id="all left out"
        ),
        pytest.param(
            {"freq": "weekly", "weekdays": (6,), "until": date(2026, 3, 3)}, "recurrence", id="no such weekday"
        ),
    ],
)
def test_what_cannot_be_expanded_is_refused_naming_the_field(pattern: dict, field: str) -> None:
    with pytest.raises(Invalid) as error:
        occurrences("2026-03-02 09:00", **pattern)
    assert error.value.facts["errors"][0]["field"] == field


@pytest.mark.parametrize("minutes", [0, -60])
def test_an_end_that_is_not_after_the_start_is_refused(minutes: int) -> None:
    with pytest.raises(Invalid, match="end"):
        occurrences("2026-03-02 09:00", minutes=minutes, freq="daily", count=2)


def test_a_first_date_that_ends_earlier_on_the_clock_than_it_starts_is_refused() -> None:
    """02:45 to the second 02:15 is half an hour once, and impossible every other day."""
    with pytest.raises(Invalid, match="clock on the wall"):
        occurrences("2026-10-25 02:45", minutes=30, freq="daily", count=2)


def test_the_caps_are_just_reached_by_a_year_of_days_and_two_years_of_weeks() -> None:
    assert len(occurrences("2026-03-02 09:00", freq="daily", count=366)) == 366
    assert len(occurrences("2026-03-02 09:00", freq="weekly", until=date(2028, 3, 2))) == 105


PATTERNS = st.builds(
    lambda freq, interval, count, weekdays: Recurrence(
        freq=freq, interval=interval, count=count, weekdays=tuple(weekdays) if freq == "weekly" else ()
    ),
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.integers(1, 3),
    st.integers(1, 5),
    st.sets(st.integers(0, 6), max_size=3),
)


@given(
    PATTERNS,
    st.integers(0, 366 * 1440),
    st.integers(1, 3000),
    st.sampled_from(ZONES),
)
def test_every_date_shows_the_same_time_on_the_wall(
    recurrence: Recurrence, first: int, minutes: int, zone: ZoneInfo
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=first)
    end = start + timedelta(minutes=minutes)
    wall_start, wall_end = start.astimezone(zone), end.astimezone(zone)
    if wall_end <= wall_start:
        return
    found = expand(recurrence, start=start, end=end, zone=zone)
    assert len(found) == recurrence.count
    assert [o.day for o in found] == sorted({o.day for o in found})
    for occurrence in (o for o in found if o.problem is None):
        shown = (
            occurrence.start.astimezone(zone).replace(tzinfo=None),
            occurrence.end.astimezone(zone).replace(tzinfo=None),
        )
        assert shown[0] == datetime.combine(occurrence.day, wall_start.time())
        assert shown[1] - shown[0] == wall_end.replace(tzinfo=None) - wall_start.replace(tzinfo=None)
        assert occurrence.start < occurrence.end
