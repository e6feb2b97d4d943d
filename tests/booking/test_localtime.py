from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.localtime import (
    clock_instants,
    day_bounds,
    exists,
    local_day,
    month_bounds,
    parse_instant,
    to_instant,
    week_bounds,
)
from app.errors import Invalid

BRUSSELS = ZoneInfo("Europe/Brussels")
ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Brussels", "Europe/Paris", "Indian/Reunion", "America/Cayenne", "America/New_York")
]
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def on_the_wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


INSTANTS = st.datetimes(on_the_wall("2001-01-01"), on_the_wall("2099-12-31"), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-03-02T09:00:00+01:00", "2026-03-02 08:00", id="an offset"),
        pytest.param("2026-03-02T08:00:00Z", "2026-03-02 08:00", id="Z"),
        pytest.param("2026-03-02t08:00:00z", "2026-03-02 08:00", id="lower case, as RFC 3339 allows"),
        pytest.param("2026-03-02T08:00:00-00:00", "2026-03-02 08:00", id="unknown local offset"),
        pytest.param("2026-03-02T08:00:00.250Z", "2026-03-02 08:00:00.250", id="a browser's milliseconds"),
        pytest.param("2024-02-29T00:00:00Z", "2024-02-29 00:00", id="a leap day"),
    ],
)
def test_an_rfc_3339_instant_is_read_into_utc(text: str, instant: str) -> None:
    assert parse_instant(text, field="start") == utc(instant)
    assert parse_instant(text, field="start").tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        pytest.param("2026-03-02T09:00:00", "offset", id="naive"),
        pytest.param("2026-03-02T09:00:00 01:00", "%2B", id="a plus lost in an address"),
        pytest.param("2026-12-31T23:59:60Z", "leap second", id="leap second"),
        pytest.param("2026-02-30T09:00:00Z", "does not exist", id="30 February"),
        pytest.param("2026-03-02T09:61:00Z", "does not exist", id="minute 61"),
        pytest.param("0000-01-01T00:00:00Z", "does not exist", id="year 0"),
        pytest.param("0001-01-01T00:00:00+12:00", "does not exist", id="before the first instant"),
        pytest.param("1999-12-31T23:59:59Z", "2000 to 2100", id="last century"),
        pytest.param("2100-12-31T23:59:59-01:00", "2000 to 2100", id="2101 in UTC"),
        pytest.param("9999-12-31T23:59:59-12:00", "does not exist", id="after the last instant"),
        pytest.param("2026-03-02T24:00:00Z", "RFC 3339", id="hour 24"),
        pytest.param("2026-03-02T09:00:00+24:00", "RFC 3339", id="offset of a day"),
        pytest.param("2026-03-02T09:00Z", "RFC 3339", id="no seconds"),
        pytest.param("2026-03-02 09:00:00Z", "RFC 3339", id="a space for T"),
        pytest.param("2026-03-02T09:00:00.0000001Z", "RFC 3339", id="finer than microseconds"),
        pytest.param("2026-W10-1T09:00:00Z", "RFC 3339", id="a week date"),
        pytest.param("2026-03-02T09:00:00Z\n", "RFC 3339", id="a newline after"),
        pytest.param("２026-03-02T09:00:00Z", "RFC 3339", id="a digit of another script"),
        pytest.param("\ud800", "RFC 3339", id="a lone surrogate"),
        pytest.param("", "RFC 3339", id="empty"),
        pytest.param("9" * 1_000_000, "RFC 3339", id="a megabyte"),
        pytest.param(1772438400, "RFC 3339", id="a number"),
        pytest.param(None, "RFC 3339", id="null"),
    ],
)
def test_anything_else_is_refused_naming_the_field_and_the_remedy(text: object, remedy: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_instant(text, field="start")
    [error] = refusal.value.facts["errors"]
    assert error["field"] == "start"
    assert remedy in error["message"]
    assert len(error["message"]) < 200


@given(INSTANTS, st.integers(-1439, 1439))
def test_an_instant_written_with_any_offset_is_read_back_exactly(instant: datetime, offset_minutes: int) -> None:
    sign, (hours, minutes) = "-" if offset_minutes < 0 else "+", divmod(abs(offset_minutes), 60)
    written = (instant.replace(tzinfo=None) + timedelta(minutes=offset_minutes)).isoformat()
    assert parse_instant(f"{written}{sign}{hours:02}:{minutes:02}", field="start") == instant


@given(INSTANTS, st.sampled_from(ZONES))
def test_every_instant_comes_back_from_what_the_clock_shows(instant: datetime, zone: ZoneInfo) -> None:
    shown = instant.astimezone(zone)
    local = shown.replace(tzinfo=None, fold=0)
    assert exists(local, zone)
    assert clock_instants(local, zone)[shown.fold] == instant


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_ordinary_local_times_have_one_instant(zone: ZoneInfo) -> None:
    noon = on_the_wall("2026-06-01 12:00")
    assert to_instant(noon, zone) == noon.replace(tzinfo=zone)
    assert len(set(clock_instants(noon, zone))) == 1


def test_a_local_time_that_the_clock_jumps_over_is_refused() -> None:
    with pytest.raises(Invalid, match=r"2026-03-29 02:30 does not exist in Europe/Brussels") as refusal:
        to_instant(on_the_wall("2026-03-29 02:30"), BRUSSELS, field="recurrence.start")
    assert refusal.value.facts["errors"][0]["field"] == "recurrence.start"


def test_of_a_local_time_shown_twice_the_first_is_taken() -> None:
    assert to_instant(on_the_wall("2026-10-25 02:30"), BRUSSELS) == utc("2026-10-25 00:30")


def test_a_local_year_out_of_reach_is_refused() -> None:
    with pytest.raises(Invalid, match="2000 to 2100"):
        to_instant(on_the_wall("9999-12-31 23:59"), ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("local", "instants"),
    [
        pytest.param(on_the_wall("2026-03-29 02:00"), ["2026-03-29 01:00"] * 2, id="start of the jump"),
        pytest.param(on_the_wall("2026-03-29 02:30"), ["2026-03-29 01:00"] * 2, id="inside the jump"),
        pytest.param(on_the_wall("2026-03-29 03:00"), ["2026-03-29 01:00"] * 2, id="end of the jump"),
        pytest.param(on_the_wall("2026-10-25 02:30"), ["2026-10-25 00:30", "2026-10-25 01:30"], id="shown twice"),
    ],
)
def test_clock_changes_move_forward_or_give_both(local: datetime, instants: list[str]) -> None:
    assert list(clock_instants(local, BRUSSELS)) == [utc(text) for text in instants]


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        pytest.param(date(2026, 6, 1), "Europe/Brussels", 24, id="an ordinary day"),
        pytest.param(SPRING, "Europe/Brussels", 23, id="spring in Brussels"),
        pytest.param(AUTUMN, "Europe/Paris", 25, id="autumn in Paris"),
        pytest.param(SPRING, "Indian/Reunion", 24, id="spring in Réunion"),
        pytest.param(AUTUMN, "America/Cayenne", 24, id="autumn in Cayenne"),
        pytest.param(date(2026, 3, 8), "America/New_York", 23, id="spring in New York"),
        pytest.param(date(2026, 11, 1), "America/New_York", 25, id="autumn in New York"),
        pytest.param(date(2026, 4, 24), "Africa/Cairo", 23, id="a day without a midnight"),
    ],
)
def test_a_local_day_has_the_hours_its_clock_shows(day: date, zone: str, hours: int) -> None:
    start, end = day_bounds(day, ZoneInfo(zone))
    assert end - start == timedelta(hours=hours)
    assert local_day(start, ZoneInfo(zone)) == day
    assert local_day(end - timedelta(microseconds=1), ZoneInfo(zone)) == day


def test_the_local_day_is_that_of_the_zone() -> None:
    instant = utc("2026-03-02 23:30")
    days = [local_day(instant, zone).day for zone in ZONES]
    assert days == [3, 3, 3, 2, 2]


def test_a_week_runs_from_monday_to_monday_across_the_clock_change() -> None:
    start, end = week_bounds(SPRING, BRUSSELS)
    assert (start, end) == (utc("2026-03-22 23:00"), utc("2026-03-29 22:00"))
    assert week_bounds(date(2026, 3, 23), BRUSSELS) == (start, end)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_month_holds_its_days_and_no_other(month: int) -> None:
    start, end = month_bounds(date(2026, month, 28), BRUSSELS)
    assert start.astimezone(BRUSSELS).timetz().replace(tzinfo=None) == time(0)
    assert start.astimezone(BRUSSELS).date() == date(2026, month, 1)
    assert end.astimezone(BRUSSELS).date() == (date(2026, month + 1, 1) if month < 12 else date(2027, 1, 1))
