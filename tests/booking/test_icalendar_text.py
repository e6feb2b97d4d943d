"""The text of calendars: what `ics` gets wrong is right, and what no calendar can say is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import icalendar
import pytest

from app.booking.calendar.icalendar_text import calendar, single, vevent, vtimezone
from tests.booking.calendar_texts import BRUSSELS, a_calendar, an_entry, assert_well_formed, read, unfolded


def test_every_line_ends_with_crlf_the_last_one_too() -> None:
    for text in (vevent(an_entry()).encode(), a_calendar(an_entry()), single(an_entry())):
        assert text.endswith(b"\r\n")
        assert text.count(b"\n") == text.count(b"\r") == text.count(b"\r\n")


@pytest.mark.parametrize("character", ["a", "é", "’", "🪑"])
@pytest.mark.parametrize("length", [60, 66, 67, 68, 69, 75, 200, 5000])
def test_long_lines_are_folded_between_characters(character: str, length: int) -> None:
    text = a_calendar(an_entry(summary=character * length), name=character * length)
    assert_well_formed(text)
    assert read(text)["SUMMARY"] == character * length


def test_a_line_of_exactly_75_octets_is_left_alone_and_one_more_is_folded() -> None:
    assert f"SUMMARY:{'a' * 67}\r\n" in vevent(an_entry(summary="a" * 67))
    assert f"SUMMARY:{'a' * 67}\r\n a\r\n" in vevent(an_entry(summary="a" * 68))


def test_no_method_is_said_anywhere() -> None:
    assert b"METHOD" not in a_calendar(an_entry())
    assert b"METHOD" not in single(an_entry())


def test_the_header_comes_first_and_says_how_often_to_look_again() -> None:
    assert unfolded(a_calendar(an_entry(), name="Ath; desks, rooms"))[:8] == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Passerelle//Passerelle//EN",
        "CALSCALE:GREGORIAN",
        "NAME:Ath\\; desks\\, rooms",
        "X-WR-CALNAME:Ath\\; desks\\, rooms",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        "X-PUBLISHED-TTL:PT15M",
    ]


def test_what_makes_google_notice_a_change_is_always_said() -> None:
    lines = unfolded(vevent(an_entry()))
    assert {"SEQUENCE:3", "DTSTAMP:20260203T081530Z", "LAST-MODIFIED:20260203T081530Z"} <= set(lines)


def test_times_are_told_on_the_clock_of_the_space_not_in_utc() -> None:
    from_elsewhere = datetime(2026, 6, 1, 3, 0, tzinfo=timezone(timedelta(hours=-4)))
    lines = unfolded(vevent(an_entry(start=from_elsewhere)))
    assert "DTSTART;TZID=Europe/Brussels:20260601T090000" in lines
    assert "DTEND;TZID=Europe/Brussels:20260601T110000" in lines


@pytest.mark.parametrize("fold", [0, 1])
def test_an_hour_shown_twice_keeps_its_instant(fold: int) -> None:
    start = datetime(2026, 10, 25, 2, 15, tzinfo=BRUSSELS, fold=fold).astimezone(UTC)
    event = read(single(an_entry(start=start, end=start + timedelta(minutes=30))))
    assert event["DTSTART"].dt.astimezone(UTC) == start
    assert event["DTEND"].dt.astimezone(UTC) == start + timedelta(minutes=30)
    assert event["DTSTART"].dt.utcoffset() == timedelta(0), (
        "libical and node-ical mistake the first pass for the second"
    )


def test_a_calendar_keeps_the_order_it_is_given() -> None:
    uids = [f"{number}@passerelle" for number in (5, 3, 9, 1, 7)]
    text = a_calendar(*(an_entry(uid=uid) for uid in uids))
    assert [event["UID"] for event in icalendar.Calendar.from_ical(text).walk("VEVENT")] == uids


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://ath.example/b/1?a=1,2;b=3&c=%20#x", "https://ath.example/b/1?a=1,2;b=3&c=%20#x"),
        ("https://ath.example/é/a b", "https://ath.example/%C3%A9/a%20b"),
        ('https://ath.example/"<>\\', "https://ath.example/%22%3C%3E%5C"),
        ("https://ath.example/\r\nX-EVIL:1", "https://ath.example/X-EVIL:1"),
    ],
)
def test_a_url_is_a_uri_and_not_escaped_text(url: str, written: str) -> None:
    assert f"URL;VALUE=URI:{written}" in unfolded(vevent(an_entry(url=url)))


def test_text_is_escaped_once() -> None:
    typed = 'Room A; B, C\\n "quoted"\nsecond line'
    assert 'SUMMARY:Room A\\; B\\, C\\\\n "quoted"\\nsecond line' in unfolded(vevent(an_entry(summary=typed)))


def test_a_uid_is_escaped_as_any_text_is() -> None:
    assert "UID:a\\\\n\\;b\\,c@passerelle" in unfolded(vevent(an_entry(uid="a\\n;b,c\r\n@passerelle")))


def test_all_that_is_known_of_a_booking_is_told() -> None:
    entry = an_entry(
        status="TENTATIVE", transparent=True, geo=(50.629, 3.777), description="Key: 12", location="Rue de Bouchain 2"
    )
    event = read(single(entry))
    assert event["STATUS"] == "TENTATIVE"
    assert event["TRANSP"] == "TRANSPARENT"
    assert (event["GEO"].latitude, event["GEO"].longitude) == (50.629, 3.777)
    assert event["DESCRIPTION"] == "Key: 12"
    assert event["LOCATION"] == "Rue de Bouchain 2"


def test_what_is_not_known_is_not_mentioned() -> None:
    assert not {"DESCRIPTION", "LOCATION", "URL", "GEO"} & set(read(single(an_entry())))


def test_a_calendar_without_bookings_still_has_the_component_that_the_standard_demands() -> None:
    text = calendar("Mine", [], [], first_year=2026, last_year=2027)
    assert [part.name for part in icalendar.Calendar.from_ical(text).subcomponents] == ["VTIMEZONE"]


def test_each_zone_is_described_once() -> None:
    text = a_calendar(an_entry(), an_entry(zone="Indian/Reunion"), an_entry())
    zones = icalendar.Calendar.from_ical(text).walk("VTIMEZONE")
    assert [zone["TZID"] for zone in zones] == ["Europe/Brussels", "Indian/Reunion"]


def test_importing_and_writing_warn_of_nothing() -> None:
    program = "from tests.booking.calendar_texts import a_calendar, an_entry; a_calendar(an_entry())"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"uid": " \r\n"}, "uid"),
        ({"start": datetime(2026, 6, 1, 9)}, "aware"),  # noqa: DTZ001
        ({"dtstamp": datetime(2026, 6, 1, 9)}, "aware"),  # noqa: DTZ001
        ({"end": datetime(2026, 6, 1, 9, tzinfo=BRUSSELS)}, "after"),
        ({"end": datetime(2026, 6, 1, 9, 0, 0, 5, tzinfo=BRUSSELS)}, "after"),
        ({"status": "CONFIRMED\r\nX-EVIL:1"}, "none of"),
        ({"status": "confirmed"}, "none of"),
        ({"sequence": -1}, "sequence"),
        ({"geo": (float("nan"), 3.7)}, "geo"),
        ({"geo": (50.6, 180.1)}, "geo"),
        ({"zone": "Europe/Brussels\r\nX-EVIL:1"}, "time zone"),
        ({"zone": "Romance Standard Time"}, "time zone"),
        ({"zone": "Europe"}, "time zone"),
        ({"zone": "../../../etc/passwd"}, "time zone"),
        ({"zone": ""}, "time zone"),
    ],
)
def test_an_entry_that_no_calendar_can_say_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        an_entry(**changes)
    with pytest.raises(ValueError, match=said):
        replace(an_entry(), **changes)


@pytest.mark.parametrize("refresh", ["", "P", "PT", "P1DT", "15M", "PT15M\r\nX-EVIL:1", "PT-15M", "PT15M "])
def test_a_refresh_interval_that_is_no_duration_is_refused(refresh: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        calendar("Ath", [], [], refresh=refresh, first_year=2026, last_year=2026)


@pytest.mark.parametrize("refresh", ["PT15M", "PT1H30M", "P1D", "P1W", "P1DT12H"])
def test_durations_of_the_standard_are_taken(refresh: str) -> None:
    text = calendar("Ath", [], [], refresh=refresh, first_year=2026, last_year=2026)
    assert f"X-PUBLISHED-TTL:{refresh}\r\n".encode() in text


@pytest.mark.parametrize(("first", "last"), [(2027, 2026), (0, 2026), (2026, 9999)])
def test_a_window_that_is_none_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="window"):
        vtimezone("Europe/Brussels", first_year=first, last_year=last)
