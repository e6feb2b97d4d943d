"""Entries, the calendars made of them, and two ways of reading those: for the tests of the text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar

from app.booking.calendar.icalendar_text import Entry, calendar, vevent

BRUSSELS = ZoneInfo("Europe/Brussels")
TOLD = datetime(2026, 2, 3, 8, 15, 30, 999_999, tzinfo=UTC)


def an_entry(**changes: Any) -> Entry:
    start = datetime(2026, 6, 1, 9, 0, tzinfo=BRUSSELS)
    given: dict[str, Any] = {"uid": "0197@passerelle", "start": start, "end": start + timedelta(hours=2)}
    given |= {"zone": "Europe/Brussels", "summary": "Desk", "sequence": 3, "last_modified": TOLD, "dtstamp": TOLD}
    return Entry(**given | changes)


def a_calendar(*entries: Entry, name: str = "Ath") -> bytes:
    zones = [entry.zone for entry in entries]
    return calendar(name, [vevent(entry) for entry in entries], zones, first_year=2026, last_year=2027)


def read(text: bytes) -> icalendar.Event:
    [event] = icalendar.Calendar.from_ical(text).walk("VEVENT")
    return event


def unfolded(text: bytes | str) -> list[str]:
    text = text.encode() if isinstance(text, str) else text
    assert text.endswith(b"\r\n")
    return text.replace(b"\r\n ", b"").decode().removesuffix("\r\n").split("\r\n")


def assert_well_formed(text: bytes) -> None:
    for line in text.split(b"\r\n"):
        assert len(line) <= 75
        assert b"\r" not in line
        assert b"\n" not in line
        line.decode()
    assert len(text.decode().splitlines()) == text.count(b"\r\n"), "a reader that uses splitlines sees other lines"
