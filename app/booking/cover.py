"""Who pays for a booking: plan credits first, then money, unless the person chooses otherwise.

Each source takes what it can of what is still to be paid; the price is divided over the minutes, to the cent. A future
booking draws on the credits of its own cycle, the one that its first local day falls in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.booking.prices import Price
from app.booking.situation import Situation
from app.booking.wishes import CREDIT, MONEY
from app.errors import Refused
from app.network.credits import Drawn
from app.network.memberships.pools import MINUTES, Draw, Left, draw_down

Part = dict[str, Any]
Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cover:
    """`parts` as everybody sees them, `[{source, amount: {amount_cents, currency}, minutes?}]`, amounts summing to the
    gross; and what has to be `drawn` for it."""

    parts: list[Part]
    drawn: tuple[Drawn, ...] = ()


def cover_of(situation: Situation, price: Price, *, start: datetime, end: datetime, sources: Sequence[str]) -> Cover:
    """What covers `price`, from `sources` in their order.

    Raises Refused (rule `cover`) when the sources chosen do not suffice: money always does.
    """
    whole = left = Left(((start, end),), price.gross_cents)
    parts: list[Part] = []
    drawn: list[Drawn] = []
    for source in sources:
        took, needs, left = _SOURCES[source](situation, left, price.currency)
        parts, drawn = parts + took, drawn + needs
    if left.minutes:
        covered = whole.minutes - left.minutes
        raise Refused(rule="cover", limit=covered, missing_minutes=left.minutes, missing_cents=left.cents)
    return Cover(parts, tuple(drawn))


def _from_credits(situation: Situation, left: Left, currency: str) -> tuple[list[Part], list[Drawn], Left]:
    draws, left = draw_down(situation.balances, left, zone=situation.offer.zone)
    return [_credit_part(draw, currency) for draw in draws], [Drawn.of(draw) for draw in draws], left


def _credit_part(draw: Draw, currency: str) -> Part:
    part = _part(CREDIT, draw.cents, currency)
    return {**part, "minutes": draw.minutes} if draw.balance.pool.unit == MINUTES else part


def _from_money(_situation: Situation, left: Left, currency: str) -> tuple[list[Part], list[Drawn], Left]:
    return [_part(MONEY, left.cents, currency)] if left.minutes else [], [], Left((), 0)


# A row for each source that can pay; the order is the person's (app.booking.wishes.SOURCES unless they choose).
_SOURCES: dict[str, Callable[[Situation, Left, str], tuple[list[Part], list[Drawn], Left]]] = {
    CREDIT: _from_credits,
    MONEY: _from_money,
}


def _part(source: str, cents: int, currency: str) -> Part:
    return {"source": source, "amount": {"amount_cents": cents, "currency": currency}}


def with_money(parts: Sequence[Part], cents: int, currency: str) -> list[Part]:
    """The parts of a cover, and so many more cents of money."""
    if not cents:
        return list(parts)
    owed = cents + money_cents(parts)
    return [*(part for part in parts if part["source"] != MONEY), _part(MONEY, owed, currency)]


def credit_minutes(parts: Sequence[Shown]) -> int:
    """The minutes of plan credit in a cover; credit in cents has none."""
    return sum(part.get("minutes", 0) for part in parts if part["source"] == CREDIT)


def credit_money(parts: Sequence[Shown]) -> tuple[int, str]:
    """The plan credit in cents in a cover, and its currency; credit in minutes is not among it."""
    amounts = [part["amount"] for part in parts if part["source"] == CREDIT and "minutes" not in part]
    return sum(amount["amount_cents"] for amount in amounts), amounts[0]["currency"] if amounts else ""


def money_cents(parts: Sequence[Part]) -> int:
    return sum(part["amount"]["amount_cents"] for part in parts if part["source"] == MONEY)
