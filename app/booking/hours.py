"""When a space is open: weekly rows, exceptions and public holidays, thought of on the wall, answered in UTC.

The rule: a row opens at the first instant of the day when the clock shows `opens` or later, and closes after the
last instant when it shows earlier than `closes`. So a time that the clock jumps over moves forward to the end of
the jump, and of a time shown twice the first opens and the second closes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from app.booking.localtime import ONE_DAY, clock_instants, day_start, local_day
from app.errors import Invalid

Period = tuple[datetime, datetime]
HolidayCalendar = tuple[str, str | None]

MIDNIGHT = time(0, 0)
# About three years of days: enough for every horizon, and a bound on what one space's hours may hold in memory.
_DAYS_REMEMBERED = 1100


@dataclass(frozen=True, slots=True)
class Opening:
    """A weekly row. `weekday` 0 is Monday; `closes` 00:00 is the end of the day. Past midnight takes two rows."""

    weekday: int
    opens: time
    closes: time

    def __post_init__(self) -> None:
        if not 0 <= self.weekday <= 6:
            raise Invalid.field("weekday", "must be 0 (Monday) to 6 (Sunday)")
        _check_order(self.opens, self.closes, "closes")


@dataclass(frozen=True, slots=True)
class HoursException:
    """What one day has instead of its weekly rows; no times at all: closed, whatever other exceptions say."""

    day: date
    opens: time | None = None
    closes: time | None = None

    def __post_init__(self) -> None:
        if (self.opens is None) != (self.closes is None):
            raise Invalid.field("closes", "give both times, or neither to close all day")
        if self.opens is not None and self.closes is not None:
            _check_order(self.opens, self.closes, "closes")


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """The hours of a space. An exception wins over a public holiday, which wins over the weekly rows.

    `holiday_calendar` is a country and perhaps a subdivision: ("FR", "57") adds the two days of Alsace-Moselle.
    """

    zone: ZoneInfo
    openings: tuple[Opening, ...]
    exceptions: tuple[HoursException, ...] = ()
    holiday_calendar: HolidayCalendar | None = None
    _days: dict[date, tuple[Period, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def open_periods(self, first_instant: datetime, last_instant: datetime) -> list[Period]:
        """The open time between two instants, cut to them, in UTC; periods that touch (at midnight) are one."""
        first, last = first_instant.astimezone(UTC), last_instant.astimezone(UTC)
        if first >= last:
            return []
        days = _days_between(local_day(first, self.zone), local_day(last, self.zone))
        periods = joined(period for day in days for period in self._opening(day))
        return [(max(start, first), min(end, last)) for start, end in periods if start < last and end > first]

    def is_open(self, start: datetime, end: datetime) -> bool:
        """Whether all of `[start, end)` is open; an empty period never is. Stops at the first gap."""
        reached, end = start.astimezone(UTC), end.astimezone(UTC)
        if reached >= end:
            return False
        while reached < end:
            closes = self.closing_time(reached)
            if closes is None:
                return False
            reached = closes
        return True

    def opening_of(self, day: date) -> list[Period]:
        """The open periods of a local day, in UTC and in order; empty when closed."""
        return list(self._opening(day))

    def closing_time(self, instant: datetime) -> datetime | None:
        """When the opening around `instant` ends, at the latest at midnight, as a pass's day does; None if closed."""
        instant = instant.astimezone(UTC)
        for opens, closes in self._opening(local_day(instant, self.zone)):
            if opens <= instant < closes:
                return closes
        return None

    def _opening(self, day: date) -> tuple[Period, ...]:
        periods = self._days.get(day)
        if periods is None:
            if len(self._days) >= _DAYS_REMEMBERED:
                self._days.clear()
            periods = self._days[day] = joined(self._period(day, *row) for row in self._rows(day))
        return periods

    def _rows(self, day: date) -> list[tuple[time, time]]:
        special = [(row.opens, row.closes) for row in self.exceptions if row.day == day]
        if special:
            rows = [(opens, closes) for opens, closes in special if opens is not None and closes is not None]
            return rows if len(rows) == len(special) else []
        if self.holiday_calendar and day in public_holidays(*self.holiday_calendar, day.year):
            return []
        return [(row.opens, row.closes) for row in self.openings if row.weekday == day.weekday()]

    def _period(self, day: date, opens: time, closes: time) -> Period:
        start, _ = clock_instants(datetime.combine(day, opens), self.zone)
        if closes == MIDNIGHT:
            return start, day_start(day + ONE_DAY, self.zone)
        _, end = clock_instants(datetime.combine(day, closes), self.zone)
        return start, end


@lru_cache(maxsize=512)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The public holidays of a country or subdivision. Raises Invalid where there is no such calendar."""
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError:
        message = f"there are no public holidays for {country} {subdivision or ''}".rstrip()
        raise Invalid.field("holiday_calendar", f"{message}: use an ISO 3166 country and subdivision") from None


def joined(periods: Iterable[Period]) -> tuple[Period, ...]:
    """Periods in order, those that overlap or touch made one, empty ones dropped."""
    result: list[Period] = []
    for start, end in sorted(period for period in periods if period[0] < period[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)


def _days_between(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _check_order(opens: time, closes: time, field_name: str) -> None:
    if closes != MIDNIGHT and closes <= opens:
        raise Invalid.field(field_name, "must be after the opening time; past midnight, add a row for the next day")
