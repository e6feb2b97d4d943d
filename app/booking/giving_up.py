"""What a member owes who makes a booking smaller too late: what cancelling the part given up would have cost.

The rule, by the terms frozen in the booking: making its price fall by an amount costs the step's percentage of that
amount (of what money pays of it), beside the new price and whatever becomes of the booking. Making it grow again takes
that back, what was given up last first, so that price and fee together never exceed the highest price the booking has
had. And however it goes on, it costs no less than cancelling would have cost at the moment of any late change. Plan
credit goes the same way: of the part given up it stays drawn, as after a late cancellation, until the booking grows
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.money import round_half_up

Parts = tuple[tuple[int, int], ...]
"""(cents given up, percent owed of them), in the order in which they were."""


class Size(NamedTuple):
    """What a booking costs, in cents: `gross` altogether, `money` of it in money."""

    gross: int
    money: int


def parts_after(parts: Sequence[Sequence[int]], before: Size, after: Size, *, percent: int) -> Parts:
    """What is given up of a booking once it costs `after` instead of `before`, at this step of its terms."""
    kept = tuple((cents, owed) for cents, owed in parts)
    smaller = min(before.gross - after.gross, before.money - after.money)
    if smaller > 0:
        return (*kept, (smaller, percent)) if percent else kept
    return _taken_back(kept, max(0, after.gross - before.gross))


def fee_of(parts: Sequence[Sequence[int]]) -> int:
    """Half-up once, on the sum."""
    return round_half_up(sum(cents * percent for cents, percent in parts), 100)


def change_fee(parts: Sequence[Sequence[int]], *, least_cents: int, gross_cents: int) -> int:
    """What is owed beside a price of `gross_cents`, where cancelling would have cost `least_cents`."""
    return max(fee_of(parts), least_cents - gross_cents, 0)


def credit_kept(before: int, after: int, *, forfeited: int, was: Size, is_now: Size, late: bool) -> int:
    """How much plan credit (minutes, or cents of a pool) stays drawn beside `after`, where the booking drew `before`
    for itself and kept `forfeited` beside: growing takes that back, and what is given up late is added to it."""
    kept = max(0, forfeited - max(0, after - before))
    return kept + credit_given_up(before, after, was=was, is_now=is_now) if late else kept


def credit_given_up(before: int, after: int, *, was: Size, is_now: Size) -> int:
    """How much of the credit `before` is given up where `after` is left: the part by which the price has fallen."""
    if was.gross <= is_now.gross or before <= after:
        return 0
    return min(before - after, round_half_up(before * (was.gross - is_now.gross), was.gross))


def _taken_back(parts: Parts, cents: int) -> Parts:
    left = list(parts)
    while left and cents:
        last, percent = left.pop()
        if last > cents:
            left.append((last - cents, percent))
        cents = max(0, cents - last)
    return tuple(left)
