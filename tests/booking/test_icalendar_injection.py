"""Nothing that a person types can become more than text in a calendar, whatever it looks like."""

from __future__ import annotations

import re

import icalendar
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.booking.calendar.icalendar_text import single
from tests.booking.calendar_texts import a_calendar, an_entry, assert_well_formed, read, unfolded

PROPERTIES = {
    *("UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "LAST-MODIFIED", "SUMMARY", "STATUS", "TRANSP"),
    *("DESCRIPTION", "LOCATION", "URL", "GEO"),
}
INJECTIONS = [
    *(f"desk{line_break}X-EVIL:1" for line_break in ("\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")),
    "desk\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:other",
    "desk\r\n ATTACH:http://evil.example/",
    "desk\x00\r\n\x00X-EVIL:1",
    "desk\\\r\nX-EVIL:1",
    "desk:;,\\n\\\\\"'%0D%0AX-EVIL:1",
    "\ud800\udfff\r\nX-EVIL:1",
]


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda escaped: "\n" if escaped[1] in "nN" else escaped[1], value)


def as_one_text(typed: str) -> str:
    """What a calendar can keep of what was typed, told one character at a time."""
    kept = []
    for character in typed.replace("\r\n", "\n"):
        if character in "\r\x0b\x0c\x85\u2028\u2029":
            kept.append("\n")
        elif character in "\t\n" or not (ord(character) < 32 or 127 <= ord(character) < 160):
            kept.append("\ufffd" if 0xD800 <= ord(character) < 0xE000 else character)
    return "".join(kept)


def assert_one_plain_event(text: bytes) -> icalendar.Event:
    assert_well_formed(text)
    parsed = icalendar.Calendar.from_ical(text)
    assert [part.name for part in parsed.subcomponents] == ["VTIMEZONE", "VEVENT"]
    event = read(text)
    assert set(event) <= PROPERTIES
    assert not any(isinstance(value, list) for value in event.values()), "a property was added a second time"
    assert not event.subcomponents
    assert not event.errors
    names = [line.split(":")[0].split(";")[0] for line in unfolded(text)]
    assert names.count("BEGIN") == names.count("END") == 2 + len(parsed.walk("VTIMEZONE")[0].subcomponents) + 1
    return event


@pytest.mark.parametrize("typed", INJECTIONS)
@pytest.mark.parametrize("field", ["uid", "summary", "description", "location", "url"])
def test_no_field_can_add_a_property(field: str, typed: str) -> None:
    event = assert_one_plain_event(single(an_entry(**{field: typed})))
    if field not in ("uid", "url"):
        assert event[field.upper()] == as_one_text(typed)


@pytest.mark.parametrize("typed", INJECTIONS)
def test_no_name_of_a_calendar_can_add_a_property(typed: str) -> None:
    text = a_calendar(an_entry(), name=typed)
    assert_one_plain_event(text)
    parsed = icalendar.Calendar.from_ical(text)
    header = ("VERSION", "PRODID", "CALSCALE", "NAME", "X-WR-CALNAME", "REFRESH-INTERVAL", "X-PUBLISHED-TTL")
    assert set(parsed) == set(header)
    assert parsed["NAME"] == parsed["X-WR-CALNAME"]
    assert unescaped(parsed["NAME"]) == as_one_text(typed)


anything = st.text(st.characters(exclude_categories=()) | st.sampled_from('\r\n\t\x00\\;,:"\u2028é🪑'), max_size=300)


@given(summary=anything, description=anything, location=anything)
@example(summary="%2C %3B %3A %5C", description="\\n\\N\\,\\;\\\\", location=" both ends ")
@example(summary="\ufeffstart", description="^n^^^'", location="\\")
def test_any_text_comes_back_as_it_was_typed(summary: str, description: str, location: str) -> None:
    event = assert_one_plain_event(single(an_entry(summary=summary, description=description, location=location)))
    assert event.get("SUMMARY", "") == as_one_text(summary)
    assert event.get("DESCRIPTION", "") == as_one_text(description)
    assert event.get("LOCATION", "") == as_one_text(location)


@given(uid=anything, url=anything)
def test_any_identifier_and_address_stay_what_they_are(uid: str, url: str) -> None:
    kept = as_one_text(uid).replace("\n", "")
    if not kept.strip():
        return
    event = assert_one_plain_event(single(an_entry(uid=uid, url=url)))
    assert event["UID"] == kept
    assert str(event.get("URL", "")).isascii()
