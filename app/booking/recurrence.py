"""A booking that repeats, expanded in local time: 09:00 stays 09:00 when the clock changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count as counting
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from app.booking.localtime import clock_instants, exists
from app.errors import Invalid

FREQUENCIES = ("daily", "weekly", "monthly")
MAX_OCCURRENCES = 366
# Two years, whether or not one of them is a leap year.
MAX_SPAN = timedelta(days=731)
NONEXISTENT = "nonexistent_local_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Every `interval` days, weeks (on `weekdays`, 0 = Monday; else that of the start) or months (same day of month).

    It ends after `count` dates or on the local day `until`, included; one of the two. `except_days` are left out
    but counted, as in RFC 5545. Raises Invalid naming the field, such as `recurrence.interval`.
    """

    freq: str
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    count: int | None = None
    until: date | None = None
    except_days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        for holds, name, remedy in (
            (self.freq in FREQUENCIES, "freq", f"must be one of {', '.join(FREQUENCIES)}"),
            (1 <= self.interval <= 12, "interval", "must be 1 to 12"),
            (self.freq == "weekly" or not self.weekdays, "weekdays", "belong to a weekly recurrence only"),
            (all(0 <= day <= 6 for day in self.weekdays), "weekdays", "must be 0 (Monday) to 6 (Sunday)"),
            (self.count is not None or self.until is not None, "count", "give count or until, so that it ends"),
            (self.count is None or self.until is None, "until", "give count or until, not both"),
            (self.count is None or 1 <= self.count <= MAX_OCCURRENCES, "count", f"must be 1 to {MAX_OCCURRENCES}"),
        ):
            if not holds:
                raise Invalid.field(f"recurrence.{name}", remedy)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a recurrence, in UTC. With a `problem` it cannot be booked: its times are the nearest that exist."""

    day: date
    start: datetime
    end: datetime
    problem: str | None = None


def expand(recurrence: Recurrence, *, start: datetime, end: datetime, zone: ZoneInfo) -> list[Occurrence]:
    """The occurrences of `[start, end)` repeated on the local calendar of `zone`, in order.

    Raises Invalid naming the field: more than 366 dates, more than two years, no date at all, or an end that is not
    after the start by the clock on the wall.
    """
    local_start, local_end = start.astimezone(zone), end.astimezone(zone)
    # Instants of one zone compare by the wall clock, which is what every later date will repeat.
    if local_end <= local_start or end.astimezone(UTC) <= start.astimezone(UTC):
        raise Invalid.field("end", "must be after start, also by the clock on the wall")
    days = [day for day in _days(recurrence, local_start.date()) if day not in recurrence.except_days]
    if not days:
        raise Invalid.field("recurrence", "names no date: choose a later end or fewer exceptions")
    return [_occurrence(day, local_start, local_end, zone) for day in days]


def _days(recurrence: Recurrence, first: date) -> list[date]:
    """The local days, exceptions included, within the caps of number and span."""
    last = first + MAX_SPAN
    if recurrence.until is not None:
        return _days_until(recurrence, first, recurrence.until, last)
    days = list(islice(_within(recurrence, first, last), recurrence.count))
    if recurrence.count is not None and len(days) < recurrence.count:
        raise Invalid.field("recurrence.count", f"reaches beyond two years: at most {len(days)}")
    return days


def _days_until(recurrence: Recurrence, first: date, until: date, last: date) -> list[date]:
    if not first <= until <= last:
        raise Invalid.field("recurrence.until", f"must be from {first} to {last} (two years)")
    days = list(_within(recurrence, first, until))
    if len(days) > MAX_OCCURRENCES:
        raise Invalid.field("recurrence.until", f"gives {len(days)} dates: at most {MAX_OCCURRENCES}, end it earlier")
    return days


def _within(recurrence: Recurrence, first: date, last: date) -> Iterator[date]:
    """The days of the pattern in `[first, last]`."""
    candidates = takewhile(lambda day: day <= last, _PATTERNS[recurrence.freq](recurrence, first))
    return (day for day in candidates if day >= first)


def _daily(recurrence: Recurrence, first: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in counting(step=recurrence.interval))


def _weekly(recurrence: Recurrence, first: date) -> Iterator[date]:
    """Weeks begin on Monday: every second week means the week of the start, then the one after next."""
    monday = first - timedelta(days=first.weekday())
    weekdays = sorted(set(recurrence.weekdays)) or [first.weekday()]
    return (monday + timedelta(weeks=n, days=day) for n in counting(step=recurrence.interval) for day in weekdays)


def _monthly(recurrence: Recurrence, first: date) -> Iterator[date]:
    """The same day of each month; a month without it is skipped, not moved."""
    for n in counting(step=recurrence.interval):
        years, month = divmod(first.month - 1 + n, 12)
        try:
            yield first.replace(year=first.year + years, month=month + 1)
        except ValueError:
            continue


_PATTERNS = {"daily": _daily, "weekly": _weekly, "monthly": _monthly}


def _occurrence(day: date, local_start: datetime, local_end: datetime, zone: ZoneInfo) -> Occurrence:
    """The wall times of the first occurrence on another day; each keeps its side of an hour shown twice."""
    later = day - local_start.date()
    starts, ends = (wall.replace(tzinfo=None) + later for wall in (local_start, local_end))
    problem = None if exists(starts, zone) and exists(ends, zone) else NONEXISTENT
    return Occurrence(
        day, clock_instants(starts, zone)[local_start.fold], clock_instants(ends, zone)[local_end.fold], problem
    )


def shape(recurrence: Recurrence) -> dict[str, Any]:
    """The recurrence as it is kept."""
    return {
        "freq": recurrence.freq,
        "interval": recurrence.interval,
        "weekdays": list(recurrence.weekdays),
        "count": recurrence.count,
        "until": recurrence.until.isoformat() if recurrence.until else None,
        "except_days": sorted(day.isoformat() for day in recurrence.except_days),
    }
