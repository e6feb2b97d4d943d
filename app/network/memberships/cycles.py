"""Cycles: the stretch of local days that one price of a plan is for, and the instants at which days begin.

A cycle is `[first, last]`, both counted. It is a calendar month, an ISO week, or a term of so many months. With the
anchor `calendar` it begins where the calendar says (a month's first, a Monday, a term's first month counted from
January of year 0, so that terms of three months are quarters and of twelve are years); with `start` on the day the
membership starts, and on that day of later months. Where a month lacks the day (29, 30, 31; 29 February) its last
takes its place, for that once: who starts on 31 January begins again on 28 February and on 31 March.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
CYCLES = ("month", "week", "term")
ANCHORS = ("calendar", "start")
LONGEST_TERM = 60  # months


class Cycle(NamedTuple):
    """Both days count."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def position(self, day: date) -> int:
        """1 for the first day, `days` for the last."""
        return (day - self.first).days + 1


def cycle_of(day: date, *, cycle: str, cycle_months: int, anchor: str, starts_on: date) -> Cycle:
    """The cycle that `day` falls in, of a membership that starts on `starts_on`.

    `cycle_months` is the length of a term and matters to no other cycle. Raises ValueError for an unknown cycle, anchor
    or length.
    """
    if cycle not in CYCLES or anchor not in ANCHORS or not 1 <= cycle_months <= LONGEST_TERM:
        raise ValueError(f"no such cycle: {cycle} of {cycle_months} from {anchor}")
    if cycle == "week":
        return _week(day, starts_on if anchor == "start" else None)
    months = cycle_months if cycle == "term" else 1
    return _from_start(day, months, starts_on) if anchor == "start" else _of_calendar(day, months)


def longest(cycle: str, cycle_months: int) -> int:
    """No cycle of this kind has more days."""
    return 7 if cycle == "week" else 31 * (cycle_months if cycle == "term" else 1)


def _week(day: date, start: date | None) -> Cycle:
    into = day.weekday() if start is None else (day - start).days % 7
    first = day - timedelta(days=into)
    return Cycle(first, first + timedelta(days=6))


def _of_calendar(day: date, months: int) -> Cycle:
    since = _month_number(day)
    first = since - since % months
    return Cycle(_in_month(first, 1), _in_month(first + months, 1) - ONE_DAY)


def _from_start(day: date, months: int, start: date) -> Cycle:
    turns = (_month_number(day) - _month_number(start)) // months
    if _boundary(start, turns * months) > day:
        turns -= 1
    return Cycle(_boundary(start, turns * months), _boundary(start, (turns + 1) * months) - ONE_DAY)


def _boundary(start: date, months_later: int) -> date:
    """Always reckoned from the first start, so that a short month shortens no later one."""
    return _in_month(_month_number(start) + months_later, start.day)


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _in_month(number: int, day: int) -> date:
    year, month = divmod(number, 12)
    return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar day on the wall of `zone`."""
    return instant.astimezone(zone).date()


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of local midnight; where the clock jumps over it, an instant in that day's first hour."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
