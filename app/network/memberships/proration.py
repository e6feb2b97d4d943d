"""Proration by day, both ends counted.

The first k days that are charged in a cycle cost `app.money.split(price, [k, days - k])[0]` together, and a stretch of
them the difference of two such. So a switch on day 15 of a month of 30 bills 14/30 and 16/30; what is charged of a
cycle is right to the cent as a whole, whatever gaps it has; and the parts of a whole cycle sum to its price however
often it is cut.

A day of a price of at least a cent a day costs at least a cent (plans.py refuses cheaper ones, but for free ones): each
day adds at least one before rounding, hence after it.
"""

from __future__ import annotations

from app.money import split


def share(price_cents: int, *, of_days: int, days: int, before: int = 0) -> int:
    """What `days` days of a cycle of `of_days` cost, in cents, after `before` days of it that are charged too.

    Raises ValueError for more days than the cycle has, or none.
    """
    if not 0 <= before < before + days <= of_days:
        raise ValueError(f"{before} and {days} days are no part of {of_days}")
    return _of_first(price_cents, before + days, of_days) - _of_first(price_cents, before, of_days)


def _of_first(price_cents: int, days: int, of_days: int) -> int:
    return split(price_cents, [days, of_days - days])[0]
