"""A member's feed as the product serves it, subscribed to by calendar programs that other people wrote.

One member books 09:00 to 17:00, by the clock on the wall, in a space of every zone, around all clock changes of the
year that a feed shows. Every reader must see nine o'clock.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import sessionmaker

from app.booking.calendar.feeds import open_feed
from app.db import TenantSession, transaction
from app.network.people import person_of
from app.tenancy import SYSTEM
from tests.booking.calendar.told import tell
from tests.builders import a_booking, a_member, a_pool, a_space
from tests.oracles.calendars import Seen, by_icalendar, by_khal, by_libical, by_node_ical, libical_faults
from tests.running import web

pytestmark = pytest.mark.oracle

ZONES = ["Europe/Brussels", "Europe/Paris", "Indian/Reunion", "America/Cayenne", "America/New_York"]
NOW = datetime.now(UTC)
FIRST, LAST = NOW.date() + timedelta(days=2), NOW.date() + timedelta(days=360)


def changes(zone: str) -> list[date]:
    """The days within the feed's year on which the zone's noon is at another distance from UTC than the day before."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days)]
    noon = {day: datetime.combine(day, time(12), ZoneInfo(zone)).utcoffset() for day in days}
    return [day for day in days[1:] if noon[day] != noon[day - timedelta(days=1)]]


def around_all_changes() -> list[date]:
    """The same days for every zone: the islands must not follow Paris."""
    days = {day + timedelta(days=n) for zone in ZONES for day in changes(zone) for n in (-1, 0, 1)}
    return sorted(day for day in days if FIRST <= day <= LAST)


Expected = set[tuple[str, str]]


@pytest.fixture
def feed(database_url: str, make_session: sessionmaker[TenantSession]) -> Iterator[tuple[str, Expected]]:
    """The address of the feed on a running server, and what it should say: (UTC start, local start)."""
    expected: Expected = set()
    uids = []
    with transaction(make_session, SYSTEM) as session:
        member = a_member(session)
        for zone in ZONES:
            pool = a_pool(session, a_space(session, timezone=zone), desks=1)
            for day in around_all_changes():
                start = datetime.combine(day, time(9), ZoneInfo(zone))
                end = datetime.combine(day, time(17), ZoneInfo(zone))
                booking = a_booking(session, pool, member, start=start.astimezone(UTC), end=end.astimezone(UTC))
                uids.append(booking.uid)
                expected.add((f"{start.astimezone(UTC):%Y-%m-%d %H:%M}", f"{day} 09:00"))
        person = person_of(session, member.id)
    for uid in uids:
        tell(make_session, uid, now=NOW, event="booking.made")
    with transaction(make_session, SYSTEM) as session:
        subjects = {"space_id": None, "resource_id": None}
        secret = open_feed(session, person=person, scope="me", subjects=subjects, name="Agenda", now=NOW)[1]
    home = Path(tempfile.mkdtemp(prefix="passerelle-feed-"))
    try:
        with web(database_url, home=home, workers=1) as server:
            yield f"http://127.0.0.1:{server.port}/f/{secret}.ics", expected
    finally:
        shutil.rmtree(home, ignore_errors=True)


def told(seen: list[Seen]) -> Expected:
    return {(f"{each.start_utc:%Y-%m-%d %H:%M}", each.local_start) for each in seen}


def test_the_year_of_a_feed_has_both_clock_changes_of_every_zone_that_changes() -> None:
    assert {zone: len(changes(zone)) for zone in ZONES} == {
        "Europe/Brussels": 2, "Europe/Paris": 2, "Indian/Reunion": 0, "America/Cayenne": 0, "America/New_York": 2
    }  # fmt: skip


def test_icalendar_sees_nine_o_clock_everywhere(feed: tuple[str, Expected]) -> None:
    address, expected = feed
    assert told(by_icalendar(address, start=FIRST - timedelta(days=2), end=LAST + timedelta(days=2))) == expected


def test_node_ical_sees_nine_o_clock_everywhere(feed: tuple[str, Expected]) -> None:
    address, expected = feed
    assert told(by_node_ical(address)) == expected


def test_libical_sees_nine_o_clock_everywhere_and_finds_no_fault(feed: tuple[str, Expected]) -> None:
    address, expected = feed
    assert told(by_libical(address)) == expected
    assert libical_faults(address) == []


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Brussels", "America/Cayenne"])
def test_vdirsyncer_fetches_and_khal_shows_it_on_the_clock_of_whoever_lives_there(
    feed: tuple[str, Expected], tmp_path: Path, zone: str
) -> None:
    address, expected = feed
    seen = by_khal(address, home=tmp_path, zone=zone, start=FIRST - timedelta(days=2), end=LAST + timedelta(days=2))
    lives_there = {
        (utc, f"{datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}")
        for utc, _ in expected
    }
    assert told(seen) == lives_there
