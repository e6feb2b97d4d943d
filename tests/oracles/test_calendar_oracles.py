"""Readers that other people wrote see our calendars as they are meant, in every zone and across both clock changes.

The expected instants come from a table written by hand, not from a time zone database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from app.booking.calendar.icalendar_text import Entry, calendar, single, vevent
from tests.oracles.calendars import (
    Seen,
    by_icalendar,
    by_khal,
    by_libical,
    by_node_ical,
    content,
    libical_faults,
    served,
)

pytestmark = pytest.mark.oracle

YEAR = 2026
FIRST, LAST = date(YEAR, 1, 1), date(YEAR, 12, 31)
"""All meetings lie well within, on any clock."""


class Summer(NamedTuple):
    """Hours ahead of UTC in winter and in summer, and the first day of summer and of the winter after."""

    winter: int
    summer: int
    begins: date
    ends: date


NEVER = (date.max, date.max)
CLOCKS = {
    "Europe/Brussels": Summer(1, 2, date(YEAR, 3, 29), date(YEAR, 10, 25)),
    "Europe/Paris": Summer(1, 2, date(YEAR, 3, 29), date(YEAR, 10, 25)),
    "Indian/Reunion": Summer(4, 4, *NEVER),
    "America/Cayenne": Summer(-3, -3, *NEVER),
    "America/New_York": Summer(-5, -4, date(YEAR, 3, 8), date(YEAR, 11, 1)),
    "Europe/Dublin": Summer(0, 1, date(YEAR, 3, 29), date(YEAR, 10, 25)),
    # +01:00 but for Ramadan, when clocks go back by an hour: "summer" here is that month.
    "Africa/Casablanca": Summer(1, 0, date(YEAR, 2, 15), date(YEAR, 3, 22)),
}
# Morocco gave +01:00 up in September 2026: databases of before and after tell different times, and readers have either.
AGREED_UNTIL = {"Africa/Casablanca": date(YEAR, 9, 1)}
DAYS = sorted(
    {
        change + timedelta(days=days)
        for clock in CLOCKS.values()
        for change in clock[2:]
        if change != date.max
        for days in (-2, -1, 0, 1)
    }
    | {date(YEAR, 1, 15), date(YEAR, 7, 15)}
)
"""Those around every zone's changes, for all zones: the islands must not follow Paris."""


def offset(zone: str, day: date) -> timedelta:
    """How far ahead of UTC the zone is at any time from four in the morning of `day` to midnight."""
    clock = CLOCKS[zone]
    return timedelta(hours=clock.summer if clock.begins <= day < clock.ends else clock.winter)


def an_entry(uid: str, zone: str, start: datetime, end: datetime, summary: str) -> Entry:
    told = datetime(2025, 12, 1, 8, 0, tzinfo=UTC)
    return Entry(
        uid=uid,
        start=start.replace(tzinfo=ZoneInfo(zone)),
        end=end.replace(tzinfo=ZoneInfo(zone)),
        zone=zone,
        summary=summary,
        sequence=0,
        last_modified=told,
        dtstamp=told,
        description="Étage 2; clé à l’accueil,\ncode 12\\34",
        location="Rue de Bouchain 2, 7800 Ath",
        url="https://passerelle.example/bookings/1?a=1,2;b=3",
        geo=(50.629, 3.777),
    )


def meetings(zone: str) -> Iterator[tuple[Entry, Seen]]:
    """Bookings at nine, and nights from ten to six, on the days around every change; and how each must be read."""
    for day in (day for day in DAYS if day < AGREED_UNTIL.get(zone, date.max)):
        tomorrow = day + timedelta(days=1)
        for label, begin_hour, end_day, end_hour in (
            ("Réunion, salle A", 9, day, 11),
            ("Nuit; studio", 22, tomorrow, 6),
        ):
            begin = datetime(day.year, day.month, day.day, begin_hour)  # noqa: DTZ001
            end = datetime(end_day.year, end_day.month, end_day.day, end_hour)  # noqa: DTZ001
            uid, summary = f"{zone}-{begin:%m%d%H}@passerelle", f"{label} {zone} {begin:%m-%d}"
            yield (
                an_entry(uid, zone, begin, end, summary),
                Seen(
                    uid,
                    (begin - offset(zone, day)).replace(tzinfo=UTC),
                    (end - offset(zone, end_day)).replace(tzinfo=UTC),
                    f"{begin:%Y-%m-%d %H:%M}",
                    summary,
                    "CONFIRMED",
                ),
            )


def a_feed(*zones: str) -> tuple[bytes, list[Seen]]:
    entries, expected = zip(*(meeting for zone in zones for meeting in meetings(zone)), strict=True)
    text = calendar("Ath, réunions", map(vevent, entries), zones, first_year=YEAR, last_year=YEAR + 1)
    return text, sorted(expected)


def without_uids(seen: list[Seen]) -> list[Seen]:
    """vdirsyncer calls what it fetches over HTTP by a hash of its content."""
    return sorted(event._replace(uid="") for event in seen)


def test_a_feed_across_all_zones_is_read_right_by_icalendar() -> None:
    text, expected = a_feed(*CLOCKS)
    assert by_icalendar(text, start=FIRST, end=LAST) == expected


def test_a_feed_across_all_zones_is_read_right_by_node_ical() -> None:
    text, expected = a_feed(*CLOCKS)
    assert by_node_ical(text) == expected


def test_a_feed_across_all_zones_is_read_right_by_libical_which_objects_to_nothing() -> None:
    text, expected = a_feed(*CLOCKS)
    assert by_libical(text) == expected
    assert libical_faults(text) == []


@pytest.mark.slow
@pytest.mark.parametrize("zone", CLOCKS)
def test_a_subscription_is_shown_right_by_vdirsyncer_and_khal(zone: str, tmp_path: Path) -> None:
    text, expected = a_feed(zone)
    with served(text) as url:
        seen = by_khal(url, home=tmp_path, zone=zone, start=FIRST, end=LAST)
    assert without_uids(seen) == without_uids(expected)


@pytest.mark.parametrize("zone", CLOCKS)
def test_libical_needs_nothing_but_our_description_of_the_zone(zone: str) -> None:
    """Under a name that is in no database, only the VTIMEZONE can tell the time."""
    text, expected = a_feed(zone)
    renamed = text.replace(zone.encode(), b"Nowhere/Known")
    assert [event[1:4] for event in by_libical(renamed)] == [event[1:4] for event in expected]
    wrong = renamed.replace(b"TZOFFSETTO:", b"TZOFFSETTO:+1400\r\nX-WAS:")
    assert [event[1] for event in by_libical(wrong)] != [event[1] for event in expected]


def test_the_hour_that_is_shown_twice_is_the_right_one_for_all() -> None:
    first = datetime(YEAR, 10, 25, 0, 30, tzinfo=UTC)
    entries = [
        Entry(
            uid=f"{hour}@passerelle",
            start=first + timedelta(hours=hour),
            end=first + timedelta(hours=hour, minutes=15),
            zone="Europe/Brussels",
            summary="Veille",
            status="TENTATIVE",
            sequence=0,
            last_modified=first,
            dtstamp=first,
        )
        for hour in (0, 1)
    ]
    text = calendar("Ath", map(vevent, entries), ["Europe/Brussels"], first_year=YEAR, last_year=YEAR)
    expected = [(entry.uid, entry.start, entry.end, "TENTATIVE") for entry in entries]
    for seen in (by_icalendar(text, start=FIRST, end=LAST), by_node_ical(text), by_libical(text)):
        assert [(event.uid, event.start_utc, event.end_utc, event.status) for event in seen] == expected
    assert libical_faults(text) == []


def test_odd_zones_a_download_and_an_empty_feed_leave_libical_nothing_to_object_to() -> None:
    odd = ["Asia/Jerusalem", "America/Nuuk", "Australia/Lord_Howe", "Africa/Cairo", "Etc/UTC"]
    assert libical_faults(calendar("Odd", [], odd, first_year=YEAR, last_year=YEAR + 1)) == []
    assert libical_faults(calendar("Empty", [], [], first_year=YEAR, last_year=YEAR + 1)) == []
    for entry, _ in meetings("Europe/Brussels"):
        assert libical_faults(single(entry)) == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"VERSION:2.0\r\n", b""),
        (b"CALSCALE:GREGORIAN\r\n", b"METHOD:PUBLISH\r\n"),
        (b"UID:", b"X-UID:"),
        (b"DTSTAMP:", b"X-DTSTAMP:"),
        (b"DTSTAMP:2025", b"DTSTAMP:MMXXV"),
        (b"STATUS:CONFIRMED", b"STATUS:MAYBE"),
        (b"STATUS:CONFIRMED", b"STATUS:CONFIRMED\r\nSTATUS:CONFIRMED"),
        (b"TRANSP:", b"TRANSP "),
        (b"DTEND;", b"DURATION:PT2H\r\nDTEND;"),
    ],
)
def test_libical_does_object_to_what_is_wrong(was: bytes, becomes: bytes) -> None:
    right, _ = a_feed("Europe/Brussels")
    wrong = becomes.join(right.rsplit(was, 1))
    assert wrong != right
    assert libical_faults(wrong)


def test_a_calendar_can_be_given_by_its_address_on_loopback_only() -> None:
    text, expected = a_feed("Europe/Brussels")
    with served(text) as url:
        assert by_icalendar(url, start=FIRST, end=LAST) == expected
    with pytest.raises(ValueError, match="loopback"):
        content("http://calendar.example/feed.ics")
