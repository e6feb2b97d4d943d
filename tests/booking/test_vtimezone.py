"""VTIMEZONE says what the clocks of a zone do: by rule where there is one, date by date where there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest

from app.booking.calendar.vtimezone import vtimezone

ZONES = [
    *("Europe/Brussels", "Europe/Paris", "Europe/Dublin", "Europe/Lisbon", "Indian/Reunion", "America/Cayenne"),
    *(
        "America/Martinique",
        "America/Mexico_City",
        "America/New_York",
        "America/Miquelon",
        "America/Nuuk",
        "Africa/Casablanca",
    ),
    *("Africa/Cairo", "Asia/Jerusalem", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Etc/UTC"),
]


def observances(zone: str, first_year: int = 2026, last_year: int = 2027) -> list[icalendar.cal.Component]:
    block = icalendar.Timezone.from_ical(vtimezone(zone, first_year=first_year, last_year=last_year))
    return block.subcomponents


def test_brussels_as_every_client_knows_it() -> None:
    assert vtimezone("Europe/Brussels", first_year=2026, last_year=2027).split("\r\n") == [
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Brussels",
        "BEGIN:DAYLIGHT",
        "DTSTART:20250330T020000",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        "TZNAME:CEST",
        "END:DAYLIGHT",
        "BEGIN:STANDARD",
        "DTSTART:20251026T030000",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "TZOFFSETFROM:+0200",
        "TZOFFSETTO:+0100",
        "TZNAME:CET",
        "END:STANDARD",
        "END:VTIMEZONE",
        "",
    ]


@pytest.mark.parametrize(
    ("zone", "rule"),
    [
        ("America/New_York", "FREQ=YEARLY;BYMONTH=3;BYDAY=2SU"),
        ("Asia/Jerusalem", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=23,24,25,26,27,28,29;BYDAY=FR"),
        ("Australia/Lord_Howe", "FREQ=YEARLY;BYMONTH=10;BYDAY=1SU"),
    ],
)
def test_a_rule_is_found_from_the_dates(zone: str, rule: str) -> None:
    assert f"RRULE:{rule}\r\n" in vtimezone(zone, first_year=2026, last_year=2026)


@pytest.mark.parametrize("zone", ["Indian/Reunion", "America/Cayenne", "Etc/UTC"])
def test_a_zone_that_never_changes_has_one_observance(zone: str) -> None:
    [only] = observances(zone)
    assert only.name == "STANDARD"
    assert only["TZOFFSETFROM"].td == only["TZOFFSETTO"].td == ZoneInfo(zone).utcoffset(datetime(2026, 7, 1))  # noqa: DTZ001
    assert "RRULE" not in only


def test_daylight_is_the_later_clock_also_where_the_database_calls_winter_the_exception() -> None:
    irish = {str(part["TZNAME"]): part.name for part in observances("Europe/Dublin")}
    assert irish == {"IST": "DAYLIGHT", "GMT": "STANDARD"}
    moroccan = {(str(part["TZNAME"]), part.name) for part in observances("Africa/Casablanca", 2024, 2025)}
    assert moroccan == {("+01", "DAYLIGHT"), ("+00", "STANDARD")}


def test_ramadan_follows_no_yearly_rule_and_is_told_date_by_date() -> None:
    text = vtimezone("Africa/Casablanca", first_year=2024, last_year=2025)
    assert "RRULE" not in text
    assert "DTSTART:20230319T030000\r\nRDATE:20240310T030000,20250223T030000\r\n" in text


def test_a_rule_that_began_within_the_window_is_not_told_of_the_years_before() -> None:
    """The United States moved their changes in 2007."""
    text = vtimezone("America/New_York", first_year=2006, last_year=2008)
    assert "RRULE" not in text
    assert "20060402T020000" in text
    assert "20070311T020000" in text


def test_a_rule_that_ended_within_the_window_is_not_told_of_the_years_after() -> None:
    """Mexico gave summer time up in October 2022."""
    text = vtimezone("America/Mexico_City", first_year=2022, last_year=2024)
    assert "RRULE" not in text
    assert "20221030T020000" in text


@pytest.mark.parametrize("zone", ZONES)
def test_every_observance_says_what_the_standard_demands(zone: str) -> None:
    """RFC 5545, section 3.6.5: each once, TZNAME for readers. libical's check does not look inside a VTIMEZONE."""
    parts = observances(zone)
    assert {part.name for part in parts} in ({"STANDARD"}, {"STANDARD", "DAYLIGHT"})
    for part in parts:
        assert set(part) - {"RRULE", "RDATE"} == {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "TZNAME"}
        assert part["DTSTART"].dt.tzinfo is None, "an onset is in local time, without a zone"
    assert max(map(len, vtimezone(zone, first_year=1990, last_year=2027).split("\r\n"))) <= 75


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("first_year", "last_year"), [(2026, 2027), (2005, 2009), (2021, 2024), (2030, 2030)])
def test_every_local_time_of_the_window_is_the_one_of_the_database(zone: str, first_year: int, last_year: int) -> None:
    """Read back by icalendar without the database, every six hours and every five minutes around each change."""
    block = vtimezone(zone, first_year=first_year, last_year=last_year)
    told, truth = icalendar.Timezone.from_ical(block).to_tz(lookup_tzid=False), ZoneInfo(zone)
    moment, end = datetime(first_year, 1, 1, 12), datetime(last_year, 12, 31, 12)  # noqa: DTZ001
    while moment < end:
        later = moment + timedelta(hours=6)
        steps = [moment]
        if moment.replace(tzinfo=truth).utcoffset() != later.replace(tzinfo=truth).utcoffset():
            steps = [moment + timedelta(minutes=minute) for minute in range(0, 360, 5)]
        for step in steps:
            if not _shown_once(step, truth):
                continue
            assert step.replace(tzinfo=told).utcoffset() == step.replace(tzinfo=truth).utcoffset(), step
        moment = later


def _shown_once(moment: datetime, zone: ZoneInfo) -> bool:
    here = moment.replace(tzinfo=zone)
    exists = here.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
    return exists and here.utcoffset() == here.replace(fold=1).utcoffset()
