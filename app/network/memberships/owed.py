"""What is owed for a membership's days, and what a change of its timeline makes of it.

What is owed for all days up to one is a function of the timeline alone; a change asks for the difference between after
and before, over the days already asked for. So the sum of all that was ever asked is what the timeline as it is now
says, whatever happened in between and in whatever order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from app.network.memberships.cycles import ONE_DAY, Cycle, cycle_of
from app.network.memberships.proration import share
from app.network.memberships.terms import Timeline


class Tariff(NamedTuple):
    """The part of a plan's version that says what its days cost."""

    version_id: int
    price_cents: int
    cycle: str
    cycle_months: int
    anchor: str

    def cycle_of(self, day: date, starts_on: date) -> Cycle:
        return cycle_of(day, cycle=self.cycle, cycle_months=self.cycle_months, anchor=self.anchor, starts_on=starts_on)


Tariffs = Mapping[int, Tariff]


class Part(NamedTuple):
    """`days` days from `first` to `last` of one cycle of one version; `cents` are of its price, negative where owed
    back."""

    version_id: int
    cycle: Cycle
    first: date
    last: date
    days: int
    cents: int


def owed(timeline: Timeline, tariffs: Tariffs, first: date, last: date) -> list[Part]:
    """What the days `[first, last]` cost: a part for each stretch of one cycle of one version. Free days have none."""
    charged = _charged(timeline)
    days = [(day, version) for day in _days(first, last) if (version := charged(day)) is not None]
    placed = [(version, tariffs[version].cycle_of(day, timeline.starts_on), day) for day, version in days]
    return [
        _part(tariffs[version], cycle, [day for _, _, day in stretch], charged)
        for (version, cycle, _), stretch in groupby(placed, key=_stretch())
    ]


def difference(before: Timeline, after: Timeline, tariffs: Tariffs, until: date) -> list[Part]:
    """What is owed for the days up to `until` after a change that was not before, and, negative and first, what is owed
    back: a part for each cycle of each version in which something has changed."""
    since = _first_affected(before, after, tariffs, until)
    if since is None:
        return []
    was, is_now = _by_cycle(owed(before, tariffs, since, until)), _by_cycle(owed(after, tariffs, since, until))
    changes = [_change(key, was[key], is_now[key]) for key in {**was, **is_now}]
    return sorted((part for part in changes if part.cents), key=lambda part: (part.cents > 0, part.first, part.last))


def last_of_cycle(timeline: Timeline, tariffs: Tariffs, day: date) -> date:
    """The last day of the cycle that `day` falls in by the version it follows then."""
    return tariffs[timeline.version_on(day)].cycle_of(day, timeline.starts_on).last


Charged = Callable[[date], int | None]
Key = tuple[int, Cycle]


def _charged(timeline: Timeline) -> Charged:
    """`timeline.charged_on`, each day asked once."""
    known: dict[date, int | None] = {}

    def on(day: date) -> int | None:
        if day not in known:
            known[day] = timeline.charged_on(day)
        return known[day]

    return on


def _part(tariff: Tariff, cycle: Cycle, days: list[date], charged: Charged) -> Part:
    """A stretch costs what it adds to the days of the cycle that were charged before, by whatever version."""
    before = sum(charged(day) is not None for day in _days(cycle.first, days[0] - ONE_DAY))
    cents = share(tariff.price_cents, of_days=cycle.days, days=len(days), before=before)
    return Part(tariff.version_id, cycle, days[0], days[-1], len(days), cents)


def _stretch() -> Callable[[tuple[int, Cycle, date]], tuple[int, Cycle, int]]:
    """Days one after the other of one cycle of one version have the same key: what is skipped ends a stretch."""
    position = iter(range(2**62))
    return lambda placed: (placed[0], placed[1], placed[2].toordinal() - next(position))


def _first_affected(before: Timeline, after: Timeline, tariffs: Tariffs, until: date) -> date | None:
    """The first day of any cycle in which the change makes a difference; None where it makes none up to `until`."""
    was, is_now = _charged(before), _charged(after)
    start = min(before.starts_on, after.starts_on)
    changed = next((day for day in _days(start, until) if was(day) != is_now(day)), None)
    if changed is None:
        return None
    return max(start, min(tariff.cycle_of(changed, after.starts_on).first for tariff in tariffs.values()))


def _by_cycle(parts: list[Part]) -> defaultdict[Key, list[Part]]:
    grouped: defaultdict[Key, list[Part]] = defaultdict(list)
    for part in parts:
        grouped[part.version_id, part.cycle].append(part)
    return grouped


def _change(key: Key, was: list[Part], is_now: list[Part]) -> Part:
    """From the first to the last day that has changed; where none has, but the cents of what comes after, all days."""
    old, new = _all_days(was), _all_days(is_now)
    changed = sorted(old ^ new or old)
    cents = sum(part.cents for part in is_now) - sum(part.cents for part in was)
    return Part(*key, changed[0], changed[-1], abs(len(new) - len(old)), cents)


def _all_days(parts: list[Part]) -> set[date]:
    return {day for part in parts for day in _days(part.first, part.last)}


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
