from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.booking.hours import HoursException, Opening, WeeklyHours, public_holidays
from app.errors import Invalid

BRUSSELS = ZoneInfo("Europe/Brussels")
ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Brussels", "Europe/Paris", "Indian/Reunion", "America/Cayenne", "America/New_York")
]
MINUTE = timedelta(minutes=1)
MONDAY, TUESDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 8)
ALWAYS = tuple(Opening(weekday, time(0), time(0)) for weekday in range(7))
OFFICE_HOURS = tuple(Opening(weekday, time(8), time(18)) for weekday in range(5))


def hours_of(openings: tuple[Opening, ...] = OFFICE_HOURS, *, zone: ZoneInfo = BRUSSELS, **more: object) -> WeeklyHours:
    return WeeklyHours(zone, openings, **more)  # type: ignore[arg-type]


def at(day: date, clock: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def wall(periods: list[tuple[datetime, datetime]], zone: ZoneInfo = BRUSSELS) -> list[str]:
    return [f"{start.astimezone(zone):%H:%M}-{end.astimezone(zone):%H:%M}" for start, end in periods]


def test_a_space_is_open_in_its_weekly_hours_and_closed_outside_them() -> None:
    hours = hours_of()
    assert hours.is_open(at(MONDAY, "08:00"), at(MONDAY, "18:00"))
    assert not hours.is_open(at(MONDAY, "07:59"), at(MONDAY, "09:00"))
    assert not hours.is_open(at(MONDAY, "17:00"), at(MONDAY, "18:01"))
    assert not hours.is_open(at(SUNDAY, "10:00"), at(SUNDAY, "11:00"))
    assert not hours.is_open(at(MONDAY, "17:00"), at(TUESDAY, "09:00"))


def test_an_empty_or_backward_period_is_never_open() -> None:
    hours = hours_of(ALWAYS)
    assert not hours.is_open(at(MONDAY, "10:00"), at(MONDAY, "10:00"))
    assert not hours.is_open(at(MONDAY, "10:00"), at(MONDAY, "09:00"))
    assert hours.open_periods(at(MONDAY, "10:00"), at(MONDAY, "10:00")) == []


def test_a_booking_over_midnight_is_fine_where_the_space_never_closes() -> None:
    hours = hours_of(ALWAYS)
    assert hours.is_open(at(MONDAY, "22:00"), at(TUESDAY, "06:00"))
    assert hours.open_periods(at(MONDAY, "22:00"), at(SUNDAY, "06:00")) == [(at(MONDAY, "22:00"), at(SUNDAY, "06:00"))]


def test_an_evening_and_the_early_hours_after_it_are_one_opening() -> None:
    hours = hours_of((Opening(0, time(18), time(0)), Opening(1, time(0), time(2))))
    assert hours.is_open(at(MONDAY, "23:00"), at(TUESDAY, "02:00"))
    assert not hours.is_open(at(MONDAY, "23:00"), at(TUESDAY, "02:01"))


def test_rows_that_touch_or_overlap_are_one_and_a_lunch_break_is_a_gap() -> None:
    touching = hours_of((Opening(0, time(12), time(18)), Opening(0, time(8), time(12)), Opening(0, time(9), time(10))))
    assert wall(touching.opening_of(MONDAY)) == ["08:00-18:00"]
    lunch = hours_of((Opening(0, time(8), time(12)), Opening(0, time(13), time(18))))
    assert wall(lunch.opening_of(MONDAY)) == ["08:00-12:00", "13:00-18:00"]
    assert not lunch.is_open(at(MONDAY, "11:00"), at(MONDAY, "14:00"))


def test_closing_time_is_that_of_the_opening_around_and_at_the_latest_midnight() -> None:
    assert hours_of().closing_time(at(MONDAY, "09:00")) == at(MONDAY, "18:00")
    assert hours_of(ALWAYS).closing_time(at(MONDAY, "09:00")) == at(TUESDAY, "00:00")
    assert hours_of().closing_time(at(MONDAY, "18:00")) is None
    assert hours_of().closing_time(at(MONDAY, "07:59")) is None


@pytest.mark.parametrize(
    ("exceptions", "expected"),
    [
        pytest.param([(None, None)], [], id="closed all day"),
        pytest.param([(time(10), time(12))], ["10:00-12:00"], id="shorter"),
        pytest.param([(time(7), time(9)), (time(20), time(0))], ["07:00-09:00", "20:00-00:00"], id="several add up"),
        pytest.param([(time(10), time(12)), (None, None)], [], id="closed wins over other exceptions"),
    ],
)
def test_exceptions_replace_the_weekly_rows_of_their_day(exceptions: list, expected: list[str]) -> None:
    hours = hours_of(exceptions=tuple(HoursException(MONDAY, *row) for row in exceptions))
    assert wall(hours.opening_of(MONDAY)) == expected
    assert wall(hours.opening_of(TUESDAY)) == ["08:00-18:00"]


@pytest.mark.parametrize(
    ("calendar", "day", "closed"),
    [
        pytest.param(("BE", None), date(2026, 7, 21), True, id="Belgian national day in Belgium"),
        pytest.param(("FR", None), date(2026, 7, 21), False, id="Belgian national day in France"),
        pytest.param(("FR", None), date(2026, 7, 14), True, id="14 July in France"),
        pytest.param(("BE", None), date(2026, 7, 14), False, id="14 July in Belgium"),
        pytest.param(("FR", "57"), date(2026, 4, 3), True, id="Good Friday in Moselle"),
        pytest.param(("FR", None), date(2026, 4, 3), False, id="Good Friday elsewhere in France"),
        pytest.param(("FR", "57"), date(2025, 12, 26), True, id="26 December in Moselle"),
        pytest.param(("FR", "974"), date(2027, 12, 20), True, id="abolition day in Réunion"),
        pytest.param(None, date(2026, 12, 25), False, id="a space that follows no calendar"),
    ],
)
def test_public_holidays_are_those_of_the_region(calendar: tuple | None, day: date, closed: bool) -> None:
    assert hours_of(holiday_calendar=calendar).is_open(at(day, "10:00"), at(day, "11:00")) is not closed


def test_an_exception_opens_a_public_holiday() -> None:
    armistice = date(2026, 11, 11)
    opened = (HoursException(armistice, time(9), time(13)),)
    hours = hours_of(exceptions=opened, holiday_calendar=("FR", None))
    assert wall(hours.opening_of(armistice)) == ["09:00-13:00"]


def test_a_calendar_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Invalid, match="holiday_calendar"):
        public_holidays("FR", "Lilliput", 2026)
    with pytest.raises(Invalid, match="holiday_calendar"):
        public_holidays("ZZ", None, 2026)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Opening(7, time(8), time(9)), id="an eighth weekday"),
        pytest.param(lambda: Opening(0, time(18), time(2)), id="past midnight in one row"),
        pytest.param(lambda: Opening(0, time(9), time(9)), id="no length"),
        pytest.param(lambda: HoursException(MONDAY, time(9), None), id="an exception without an end"),
        pytest.param(lambda: HoursException(MONDAY, None, time(9)), id="an exception without a start"),
        pytest.param(lambda: HoursException(MONDAY, time(9), time(8)), id="a backward exception"),
    ],
)
def test_impossible_rows_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(Invalid):
        make()


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)], ids=str)
def test_opening_at_eight_stays_at_eight_on_the_days_the_clock_changes(zone: ZoneInfo, day: date) -> None:
    hours = hours_of((Opening(6, time(8), time(18)),), zone=zone)
    assert wall(hours.opening_of(day), zone) == ["08:00-18:00"]
    [(start, end)] = hours.opening_of(day)
    assert end - start == timedelta(hours=10)
    assert start.tzinfo is UTC


SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.mark.parametrize(
    ("day", "opens", "closes", "minutes", "shown"),
    [
        pytest.param(SPRING, "02:30", "05:00", 120, "03:00-05:00", id="opens inside the jump: at its end"),
        pytest.param(SPRING, "00:00", "02:30", 120, "00:00-03:00", id="closes inside the jump: at its end"),
        pytest.param(SPRING, "02:00", "02:30", 0, "", id="an opening that never comes"),
        pytest.param(SPRING, "00:00", "00:00", 1380, "00:00-00:00", id="23 hours"),
        pytest.param(AUTUMN, "02:30", "05:00", 210, "02:30-05:00", id="opens at the first 02:30"),
        pytest.param(AUTUMN, "00:00", "02:30", 210, "00:00-02:30", id="closes at the second 02:30"),
        pytest.param(AUTUMN, "00:00", "00:00", 1500, "00:00-00:00", id="25 hours"),
    ],
)
def test_clock_changes_inside_an_opening(day: date, opens: str, closes: str, minutes: int, shown: str) -> None:
    hours = hours_of((Opening(6, time.fromisoformat(opens), time.fromisoformat(closes)),))
    periods = hours.opening_of(day)
    assert sum((end - start for start, end in periods), timedelta()) == minutes * MINUTE
    assert wall(periods) == ([shown] if shown else [])


def test_answers_do_not_change_when_more_days_are_asked_than_are_remembered() -> None:
    hours = hours_of()
    first = hours.opening_of(MONDAY)
    for n in range(3000):
        hours.opening_of(MONDAY + timedelta(days=n))
    assert hours.opening_of(MONDAY) == first
    assert hours == hours_of()


def test_the_answer_is_the_callers_to_change() -> None:
    hours = hours_of()
    hours.opening_of(MONDAY).clear()
    assert wall(hours.opening_of(MONDAY)) == ["08:00-18:00"]


def open_minutes(hours: WeeklyHours, first: datetime, last: datetime) -> set[datetime]:
    """A naive model: walk over every minute of the days around and read the clock on the wall."""
    minutes: dict[date, list[datetime]] = {}
    minute = first - timedelta(days=2)
    while minute < last + timedelta(days=2):
        minutes.setdefault(minute.astimezone(hours.zone).date(), []).append(minute)
        minute += MINUTE
    result: set[datetime] = set()
    for day, its_minutes in minutes.items():
        clock = [minute.astimezone(hours.zone).time() for minute in its_minutes]
        for row in hours.openings:
            if row.weekday == day.weekday():
                started = [i for i, shown in enumerate(clock) if shown >= row.opens]
                going = [i for i, shown in enumerate(clock) if row.closes == time(0) or shown < row.closes]
                if started and going:
                    result.update(its_minutes[started[0] : going[-1] + 1])
    return {minute for minute in result if first <= minute < last}


def quarter(n: int) -> time:
    return time(*divmod(n % 96 * 15, 60))


ROWS = st.builds(
    lambda weekday, quarters: Opening(weekday, *map(quarter, sorted(quarters))),
    st.sampled_from([5, 6, 0]),
    st.sets(st.integers(0, 96), min_size=2, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ROWS, max_size=4),
    st.sampled_from(ZONES),
    st.sampled_from([date(2026, 3, 7), date(2026, 3, 28), date(2026, 10, 24), date(2026, 10, 31)]),
    st.integers(0, 2880),
    st.integers(0, 1600),
)
def test_open_periods_are_what_a_walk_over_every_minute_finds(
    rows: list[Opening], zone: ZoneInfo, around: date, offset: int, length: int
) -> None:
    first = datetime.combine(around, time(0), UTC) + offset * MINUTE
    last = first + length * MINUTE
    hours = WeeklyHours(zone, tuple(rows))
    periods = hours.open_periods(first, last)
    found = {start + n * MINUTE for start, end in periods for n in range((end - start) // MINUTE)}
    assert found == open_minutes(hours, first, last)
    assert all(first <= start < end <= last for start, end in periods)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(periods))
    assert hours.is_open(first, last) == (periods == [(first, last)])
