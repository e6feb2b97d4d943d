"""Instants and the clock on the wall: reading RFC 3339, and days, weeks and months of a space's zone.

Instants are returned in UTC. Local times are naive datetimes, and only meaningful beside a zone. Two aware
datetimes of one `ZoneInfo` are compared by their wall clock, not by the time between them, so every function
here (and everything that subtracts instants) goes through UTC first.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NoReturn
from zoneinfo import ZoneInfo

from app.errors import Invalid

FIRST_YEAR, LAST_YEAR = 2000, 2100
ONE_DAY = timedelta(days=1)

_DATE_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_RFC_3339 = re.compile(_DATE_TIME + _OFFSET)
_EXAMPLE = "write an RFC 3339 instant such as 2026-03-02T09:00:00+01:00"
_MISTAKES = (
    (re.compile(_DATE_TIME), f"has no offset from UTC: {_EXAMPLE}, or end it with Z"),
    (re.compile(_DATE_TIME + r" [0-9]{2}:[0-9]{2}"), "has lost the + of its offset: write it as %2B in an address"),
)


def parse_instant(text: object, *, field: str) -> datetime:
    """Read a strict RFC 3339 instant (offset required, at most microseconds) and return it in UTC.

    Raises Invalid naming `field` and the remedy: wrong shape, no offset, a day or time that does not exist
    (leap seconds included), or a year outside 2000..2100.
    """
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        _refuse_shape(text, field)
    if text[17:19] == "60":
        raise Invalid.field(field, "leap seconds are not kept: write second 59, or 00 of the next minute")
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid.field(field, f"names a day or time that does not exist: {_EXAMPLE}") from None
    _check_year(instant, field)
    return instant


def to_instant(local: datetime, zone: ZoneInfo, *, field: str = "start") -> datetime:
    """The instant of a naive local time; of two (the clock went back) the first.

    Raises Invalid naming `field` for a time that the clock jumps over, or a year outside 2000..2100.
    """
    _check_year(local, field)
    if not exists(local, zone):
        shown = local.isoformat(sep=" ", timespec="minutes")
        raise Invalid.field(
            field, f"{shown} does not exist in {zone.key}, the clock jumps over it: choose another time"
        )
    return clock_instants(local, zone)[0]


def exists(local: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock of `zone` ever shows the naive `local`."""
    first, second = _both_readings(local, zone)
    return first <= second


def clock_instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the last instant at which the clock of `zone` shows the naive `local`.

    They differ only where the clock went back. Where it jumps over `local`, both are the end of the jump.
    """
    first, second = _both_readings(local, zone)
    if first > second:
        first = second = _end_of_jump(second, first, zone)
    return first, second


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar day on the wall of `zone` at `instant`."""
    return instant.astimezone(zone).date()


@lru_cache(maxsize=8192)
def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of the local `day`, which is not midnight where the clock jumps over it."""
    return clock_instants(datetime.combine(day, time.min), zone)[0]


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The local day as `[start, end)`: 23 or 25 hours when the clock changes."""
    return day_start(day, zone), day_start(day + ONE_DAY, zone)


def week_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The local week of `day` as `[start, end)`, Monday to Monday (ISO 8601)."""
    monday = day - timedelta(days=day.weekday())
    return day_start(monday, zone), day_start(monday + timedelta(days=7), zone)


def month_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The local calendar month of `day` as `[start, end)`."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return day_start(first, zone), day_start(following, zone)


def _both_readings(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """`local` by the offsets before and after a clock change: equal on ordinary days, first > second in a jump."""
    return (
        local.replace(tzinfo=zone, fold=0).astimezone(UTC),
        local.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _end_of_jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between two at which the offset becomes that of `after`; clocks change on whole seconds."""
    offset = after.astimezone(zone).utcoffset()
    seconds = range(int(before.timestamp()), int(after.timestamp()))
    changed = bisect_left(seconds, True, key=lambda at: datetime.fromtimestamp(at, zone).utcoffset() == offset)
    return before.replace(microsecond=0) + timedelta(seconds=changed)


def _check_year(moment: datetime, field: str) -> None:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Invalid.field(field, f"is outside the years {FIRST_YEAR} to {LAST_YEAR}: correct the year")


def _refuse_shape(text: object, field: str) -> NoReturn:
    remedies = [remedy for pattern, remedy in _MISTAKES if isinstance(text, str) and pattern.fullmatch(text)]
    raise Invalid.field(field, remedies[0] if remedies else f"is not an instant: {_EXAMPLE}")
