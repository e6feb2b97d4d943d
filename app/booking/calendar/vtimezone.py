"""VTIMEZONE (RFC 5545, section 3.6.5) from the machine's time zone database, for a window of years.

`zoneinfo` tells what the clock shows at an instant and nothing about rules, so the transitions are looked for, and a
rule is written only where every year of a solar cycle agrees with it. Other zones get their dates one by one.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.booking.calendar.content_lines import fold

SOLAR_CYCLE = 28
"""Years after which weekdays and dates meet again: what holds in all of them tells "fourth" from "last" Sunday."""
STEP = timedelta(days=3)
"""How far apart the clocks are looked at: since 2000 no zone has changed them twice in less than six days."""
SECOND = timedelta(seconds=1)
LOCAL = "%Y%m%dT%H%M%S"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+/-]{0,63}")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Clock(NamedTuple):
    """What a zone's clocks do at an instant."""

    offset: timedelta
    dst: timedelta
    name: str


class Onset(NamedTuple):
    """Clocks change from `before` to `after` when they show `at` (naive, still by `before`)."""

    at: datetime
    before: Clock
    after: Clock


def zone_info(name: str) -> ZoneInfo:
    """The zone of that IANA name; the name is then safe to print as a TZID parameter. Raises ValueError."""
    try:
        if _NAME.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as "Europe"
        pass
    raise ValueError(f"no time zone is called {name!r}: give an IANA name such as Europe/Brussels")


@lru_cache(maxsize=256)
def vtimezone(zone_name: str, *, first_year: int, last_year: int) -> str:
    """The VTIMEZONE block that is right for every local time of `first_year` to `last_year`, both included.

    Where the zone's rules are regular it stays right afterwards. Raises ValueError for an unknown zone or window.
    """
    if not 1900 < first_year <= last_year < 9900:
        raise ValueError(f"no window of years: {first_year} to {last_year}")
    zone = zone_info(zone_name)
    # A year early: the rule in force on 1 January began in the year before.
    opening = datetime(first_year - 1, 1, 1, tzinfo=UTC)
    years = range(first_year - 1, max(last_year, first_year - 1 + SOLAR_CYCLE) + 1)
    onsets = _onsets(zone, opening, datetime(years[-1] + 1, 1, 1, tzinfo=UTC))
    observances = _by_rule(onsets, years) or _by_date(
        _clock(zone, opening), opening, [onset for onset in onsets if onset.at.year <= last_year]
    )
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone_name}", *observances, "END:VTIMEZONE"]
    return "".join(fold(line) for line in lines)


def _clock(zone: ZoneInfo, instant: datetime) -> Clock:
    local = instant.astimezone(zone)
    return Clock(local.utcoffset() or timedelta(), local.dst() or timedelta(), local.tzname() or "UTC")


def _onsets(zone: ZoneInfo, start: datetime, end: datetime) -> list[Onset]:
    """Every change of the zone's clocks from `start` (exclusive) to `end`, in order."""
    found = []
    before = _clock(zone, start)
    while start < end:
        if (after := _clock(zone, start + STEP)) != before:
            found.append(Onset(_change(zone, start, before) + before.offset, before, after))
            before = after
        start += STEP
    return found


def _change(zone: ZoneInfo, start: datetime, before: Clock) -> datetime:
    """The second within a step from `start` at which the clock stops being `before`, in UTC but naive."""
    low, high = start, start + STEP
    while high - low > SECOND:
        middle = low + (high - low) // 2 // SECOND * SECOND
        if _clock(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high.replace(tzinfo=None)


def _by_rule(onsets: list[Onset], years: range) -> list[str]:
    """Observances as yearly rules; empty if any onset does not follow one in each of `years`."""
    kinds: dict[tuple[Clock, Clock], list[Onset]] = defaultdict(list)
    for onset in onsets:
        kinds[onset.before, onset.after].append(onset)
    lines = []
    for group in kinds.values():
        rule = _yearly_rule([onset.at for onset in group])
        if rule is None or [onset.at.year for onset in group] != list(years):
            return []
        lines += _observance(group[0], f"RRULE:{rule}", onsets)
    return lines


def _yearly_rule(dates: list[datetime]) -> str | None:
    """The RRULE that gives all `dates`, one a year, or None. They must span a solar cycle."""
    if len({(date.month, date.weekday(), date.time()) for date in dates}) != 1:
        return None
    days = [date.day for date in dates]
    weekday = _WEEKDAYS[dates[0].weekday()]
    if all(date.day + 7 > monthrange(date.year, date.month)[1] for date in dates):
        day = f"BYDAY=-1{weekday}"
    elif len({(number - 1) // 7 for number in days}) == 1:
        day = f"BYDAY={(days[0] - 1) // 7 + 1}{weekday}"
    elif max(days) - min(days) == 6:  # "the first Friday from the 23rd on", as in Jerusalem
        day = f"BYMONTHDAY={','.join(map(str, range(min(days), max(days) + 1)))};BYDAY={weekday}"
    else:
        return None
    return f"FREQ=YEARLY;BYMONTH={dates[0].month};{day}"


def _by_date(first: Clock, opening: datetime, onsets: list[Onset]) -> list[str]:
    """Observances with every date spelled out, opened by what the clocks showed before the first of them."""
    start = Onset(opening.replace(tzinfo=None) + first.offset, first, first)
    lines = _observance(start, None, onsets)
    kinds: dict[tuple[Clock, Clock], list[Onset]] = defaultdict(list)
    for onset in onsets:
        kinds[onset.before, onset.after].append(onset)
    for group in kinds.values():
        later = ",".join(onset.at.strftime(LOCAL) for onset in group[1:])
        lines += _observance(group[0], f"RDATE:{later}" if later else None, onsets)
    return lines


def _observance(onset: Onset, repeats: str | None, onsets: Iterable[Onset]) -> list[str]:
    # Dublin and Casablanca have "negative" daylight saving: winter or Ramadan is the exception in the database. Readers
    # expect DAYLIGHT to be the later clock, so it is what is ahead of the lowest the zone knows, not what dst() flags.
    lowest = min((onset.after.dst, *(other.after.dst for other in onsets)))
    kind = "DAYLIGHT" if onset.after.dst > lowest else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{onset.at.strftime(LOCAL)}",
        *([repeats] if repeats else []),
        f"TZOFFSETFROM:{_offset(onset.before.offset)}",
        f"TZOFFSETTO:{_offset(onset.after.offset)}",
        f"TZNAME:{onset.after.name}",
        f"END:{kind}",
    ]


def _offset(offset: timedelta) -> str:
    """`offset` as ±HHMM, with seconds only where there are any (RFC 5545, section 3.3.14)."""
    seconds = int(offset.total_seconds())
    sign = "-" if seconds < 0 else "+"
    minutes, seconds = divmod(abs(seconds), 60)
    return f"{sign}{minutes // 60:02}{minutes % 60:02}" + (f"{seconds:02}" if seconds else "")
