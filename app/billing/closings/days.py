"""Which days, months and years are closed, and the instants between which each lies: local calendar days of a zone.

A day begins where the one before ends, so that days leave no gap and do not overlap, whatever the clock does at night.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY, MONTH, YEAR = KINDS = ("day", "month", "year")


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC; where clocks leap over midnight, the instant of the leap."""
    midnight = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    if midnight.astimezone(zone).date() < day:  # an hour before a midnight that never was
        midnight = datetime.combine(day, time(), tzinfo=zone).replace(fold=1).astimezone(UTC)
    return midnight


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant that does not belong to a local day any more, in UTC."""
    return begin_of(day + timedelta(days=1), zone)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def ended_with(day: date) -> Iterator[str]:
    """The longer periods that end with `day`: a month, a calendar year."""
    after = day + timedelta(days=1)
    if after.day == 1:
        yield MONTH
        if after.month == 1:
            yield YEAR


def first_of(kind: str, day: date) -> date:
    """The first day of the period of `kind` in which `day` lies."""
    return {DAY: day, MONTH: day.replace(day=1), YEAR: day.replace(month=1, day=1)}[kind]
