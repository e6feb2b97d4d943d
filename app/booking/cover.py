"""Who pays for a booking: plan credits first, then money, unless the person chooses otherwise.

Credits cover minutes; the price is divided in proportion, to the cent. A future booking draws on the credits of its
own cycle, the calendar month its first local day falls in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.booking.prices import Price
from app.booking.situation import Situation
from app.booking.wishes import CREDIT, MONEY
from app.errors import Refused
from app.money import split


def cover_of(
    situation: Situation, price: Price, *, start: datetime, end: datetime, sources: Sequence[str]
) -> list[dict[str, Any]]:
    """What covers `price`: `[{source, amount: {amount_cents, currency}, minutes?}]`, amounts summing to the gross.

    Raises Refused (rule `cover`) when the sources chosen do not suffice: money always does.
    """
    minutes = int((end - start) / timedelta(minutes=1))
    left, covered = minutes, []
    for source in sources:
        taken = min(left, situation.credit_minutes) if source == CREDIT else left
        if taken:
            covered.append((source, taken))
            left -= taken
    if left:
        raise Refused(rule="cover", limit=situation.credit_minutes, missing_minutes=left)
    amounts = split(price.gross_cents, [taken for _, taken in covered])
    return [
        _part(source, taken, cents, price.currency) for (source, taken), cents in zip(covered, amounts, strict=True)
    ]


def _part(source: str, minutes: int, cents: int, currency: str) -> dict[str, Any]:
    part: dict[str, Any] = {"source": source, "amount": {"amount_cents": cents, "currency": currency}}
    if source != MONEY:
        part["minutes"] = minutes
    return part


def credit_minutes(cover: Sequence[dict[str, Any]]) -> int:
    """The minutes of plan credit in a cover."""
    return sum(part["minutes"] for part in cover if part["source"] == CREDIT)


def money_cents(cover: Sequence[dict[str, Any]]) -> int:
    return sum(part["amount"]["amount_cents"] for part in cover if part["source"] == MONEY)
