"""Pools of credit: what a plan includes per cycle, when it may be used, and which is drawn first.

A pool holds minutes or cents, for one kind of resource or any ("*"), in a window of weekdays and local times. Of
several, the one that expires first is drawn first, then the one with the narrower window, then by number. Only the
minutes of a booking that lie in a pool's window are covered by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.errors import Invalid
from app.money import split

Period = tuple[datetime, datetime]
ANY_KIND = "*"
MINUTES, CENTS = "minutes", "cents"
EVERY_DAY = frozenset(range(7))
DAY_MINUTES = 24 * 60
ONE_DAY, ONE_MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool of a plan version; `number` is its place in the version's list.

    `opens` and `closes` are minutes from the local midnight; a window that closes on the day after counts on from there
    (1320 to 1800: from ten in the evening to six in the morning) and belongs to the weekday on which it opens.
    """

    number: int
    kind: str
    unit: str
    amount: int
    weekdays: frozenset[int] = EVERY_DAY
    opens: int = 0
    closes: int = DAY_MINUTES

    @property
    def minutes_a_week(self) -> int:
        return len(self.weekdays) * (self.closes - self.opens)

    def is_for(self, kind: str) -> bool:
        return self.kind in (ANY_KIND, kind)

    def within(self, periods: Iterable[Period], zone: ZoneInfo) -> list[Period]:
        """What of `periods` lies in the window, by the clock on the wall of `zone`."""
        if self.minutes_a_week >= 7 * DAY_MINUTES:
            return list(periods)
        return [part for start, end in periods for part in _common((start, end), self._openings(start, end, zone))]

    def _openings(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Period]:
        day, last = start.astimezone(zone).date() - ONE_DAY, end.astimezone(zone).date()
        while day <= last:
            if day.weekday() in self.weekdays:
                yield _on_the_wall(day, self.opens, zone), _on_the_wall(day, self.closes, zone)
            day += ONE_DAY


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left of a pool in the cycle that begins on `cycle`, in the pool's unit; `expires_on` is its last day."""

    membership_id: int
    cycle: date
    expires_on: date
    pool: Pool
    left: int

    @property
    def order(self) -> tuple[date, int, int, int]:
        """What is drawn first is smallest."""
        return self.expires_on, self.pool.minutes_a_week, self.pool.number, self.membership_id

    def minutes_worth(self, left: Left) -> int:
        """How many of the minutes still to be paid it is good for, wherever they lie."""
        if self.pool.unit == MINUTES:
            return self.left
        return self.left * left.minutes // left.cents if left.cents else 0


class Draw(NamedTuple):
    """What one pool covers of a booking: minutes of it (0 of a pool that only tops up), and cents of its price."""

    balance: Balance
    minutes: int
    cents: int

    @property
    def taken(self) -> int:
        """What leaves the pool, in its unit."""
        return self.minutes if self.balance.pool.unit == MINUTES else self.cents


@dataclass(frozen=True, slots=True)
class Left:
    """What of a booking is still to be paid: its time, and the gross cents that this time costs."""

    periods: tuple[Period, ...]
    cents: int
    minutes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "minutes", _minutes(self.periods))


def draw_down(balances: Iterable[Balance], left: Left, *, zone: ZoneInfo) -> tuple[list[Draw], Left]:
    """Cover `left` from the balances in their order; what each gives, and what remains to be paid otherwise.

    The price is divided over the minutes to the cent. A pool of cents covers whole minutes first, then what it has
    left of the next one.
    """
    if not left.minutes:
        return [], left
    ordered = sorted((each for each in balances if each.left > 0), key=lambda each: each.order)
    periods, minutes = list(left.periods), []
    for balance in ordered:
        mine = balance.pool.within(periods, zone)
        minutes.append(min(_minutes(mine), balance.minutes_worth(left)))
        periods = _without(periods, _first(mine, minutes[-1]))
    *shares, rest = split(left.cents, [*minutes, left.minutes - sum(minutes)])
    remaining = Left(tuple(periods), rest)
    draws = []
    for balance, covered, share in zip(ordered, minutes, shares, strict=True):
        more = _top_up(balance, share, remaining, zone)
        remaining = replace(remaining, cents=remaining.cents - more)
        draws.append(Draw(balance, covered, share + more))
    return [draw for draw in draws if draw.taken], remaining


def _top_up(balance: Balance, share: int, remaining: Left, zone: ZoneInfo) -> int:
    """What a pool of cents has left for a part of one more minute in its window."""
    if balance.pool.unit != CENTS or not remaining.minutes:
        return 0
    reachable = _minutes(balance.pool.within(remaining.periods, zone))
    return min(balance.left - share, remaining.cents * reachable // remaining.minutes)


def pools_of(credits: Sequence[Mapping[str, Any]] | None, included: Mapping[str, int]) -> tuple[Pool, ...]:
    """The pools of a plan version: its `credits`, or where that is null its older `included` (minutes by kind).

    Those of the older form all have the number 0 and are told apart by their kind. Raises Invalid on `credits`.
    """
    if credits is None:
        return tuple(Pool(0, kind, MINUTES, amount) for kind, amount in sorted(included.items()))
    return tuple(_pool(number, written) for number, written in enumerate(credits))


def balances_of(
    pools: Iterable[Pool], entries: Iterable[tuple[int, str, int, int]], *, membership_id: int, cycle: date, last: date
) -> list[Balance]:
    """What is left of each pool: its amount and the sum of the cycle's entries, `(pool, kind, minutes, cents)`.

    Drawn from another version of the plan earlier in the cycle, an entry counts against the first pool of its kind and
    unit, so that changing plans back and forth fills no pool again.
    """
    pools = list(pools)
    left = [pool.amount for pool in pools]
    for number, kind, minutes, cents in entries:
        unit = MINUTES if minutes else CENTS
        same = [i for i, pool in enumerate(pools) if (pool.kind, pool.unit) == (kind, unit)]
        if same:
            left[next((i for i in same if pools[i].number == number), same[0])] += minutes or cents
    return [Balance(membership_id, cycle, last, pool, max(0, rest)) for pool, rest in zip(pools, left, strict=True)]


def _pool(number: int, written: Mapping[str, Any]) -> Pool:
    unit, amount = written.get("unit"), written.get("amount")
    if unit not in (MINUTES, CENTS) or type(amount) is not int or amount < 0:
        raise Invalid.field(f"credits.{number}", "give a unit (minutes or cents) and an amount of 0 or more")
    weekdays = written.get("weekdays")
    opens, closes = (_minute(number, written.get(name) or "00:00") for name in ("from", "until"))
    return Pool(
        number, str(written.get("kind") or ANY_KIND), unit, amount,
        EVERY_DAY if weekdays is None else frozenset(weekdays),
        opens, closes if closes > opens else closes + DAY_MINUTES,
    )  # fmt: skip


def _minute(number: int, written: str) -> int:
    try:
        clock = time() if written == "24:00" else time.fromisoformat(written)
    except ValueError:
        raise Invalid.field(f"credits.{number}", "write local times as HH:MM, for example 18:00") from None
    return clock.hour * 60 + clock.minute


def _on_the_wall(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The instant of a local time; one that a clock change skips is as long after the change, one it repeats the
    first."""
    return (datetime.combine(day, time()) + minute * ONE_MINUTE).replace(tzinfo=zone).astimezone(UTC)


def _minutes(periods: Iterable[Period]) -> int:
    return sum((end - start) // ONE_MINUTE for start, end in periods)


def _common(period: Period, others: Iterable[Period]) -> Iterator[Period]:
    for start, end in others:
        start, end = max(start, period[0]), min(end, period[1])
        if start < end:
            yield start, end


def _first(periods: Iterable[Period], minutes: int) -> Iterator[Period]:
    """The first so many minutes of the periods."""
    for start, end in periods:
        taken = min(minutes, (end - start) // ONE_MINUTE)
        if taken:
            yield start, start + taken * ONE_MINUTE
        minutes -= taken


def _without(periods: Iterable[Period], taken: Iterable[Period]) -> list[Period]:
    left = list(periods)
    for start, end in taken:
        left = [
            part
            for period in left
            for part in ((period[0], min(period[1], start)), (max(period[0], end), period[1]))
            if part[0] < part[1]
        ]
    return left
