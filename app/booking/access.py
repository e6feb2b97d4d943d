"""The access hours of a plan: when it opens its space to who holds it.

The rule: a plan holds for a booking if all of the booking lies in its access hours; for any other it is as if it were
not held. Then it admits nobody where members only may book (rule `access_hours`), and where everybody may, the booking
has the public price and terms, without the plan's credits and discount, and is paid by the member, not by who pays
for the plan. Of several memberships each counts by itself: those that hold for the booking hold together. Hours are
half-open periods of local time, read as opening hours are across a clock change (app.booking.hours); until 00:00 or
24:00 is the end of the day, and what ends no later than it begins ends on the day after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.booking.hours import MIDNIGHT, Opening, WeeklyHours

EVERY_DAY = range(7)
Row = tuple[tuple[int, ...], str, str]


def access_hours(access: Sequence[Mapping[str, Any]] | None, zone: ZoneInfo) -> WeeklyHours | None:
    """Of a plan version's `access`: `[{weekdays?, from, until}, ...]`. None, null or no rows, is whenever the space is
    open."""
    if not access:
        return None
    return _known(tuple((_weekdays(row.get("weekdays")), row["from"], row["until"]) for row in access), zone)


def hours_on(day: date, hours: Iterable[WeeklyHours]) -> list[list[str]]:
    """The access that several plans together give on a local day, `[[from, until], ...]` with their offsets, as rules
    tell it."""
    periods = {period for each in hours for period in each.opening_of(day)}
    zones = [each.zone for each in hours]
    return [[instant.astimezone(zones[0]).isoformat() for instant in period] for period in sorted(periods)]


@lru_cache(maxsize=1024)
def _known(rows: tuple[Row, ...], zone: ZoneInfo) -> WeeklyHours:
    """Plans are few: what was computed of their days is kept with them."""
    return WeeklyHours(zone=zone, openings=tuple(opening for row in rows for opening in _openings(*row)))


def _weekdays(written: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(EVERY_DAY) if written is None else tuple(written)


def _openings(weekdays: Iterable[int], opens: str, closes: str) -> Iterator[Opening]:
    since, until = _clock(opens), _clock(closes)
    for weekday in weekdays:
        if until == MIDNIGHT or since < until:
            yield Opening(weekday, since, until)
        else:
            yield Opening(weekday, since, MIDNIGHT)
            yield Opening((weekday + 1) % 7, MIDNIGHT, until)


def _clock(written: str) -> time:
    return MIDNIGHT if written == "24:00" else time.fromisoformat(written)
