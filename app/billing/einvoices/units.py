"""Quantities and prices of lines: UN/ECE Recommendation 20 codes, and decimals without a float. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

UNITS = {"hour": "HUR", "day": "DAY", "piece": "C62", "cycle": "C62"}
PIECE = "C62"  # UN/ECE: one
DECIMALS = Decimal("0.00000001")


class Quantified(NamedTuple):
    """How much, of what, at which net price of one: `quantity` has the sign of the amount, a price is never below 0."""

    quantity: str
    unit: str
    price: str


def quantified(quantity_milli: int, unit: str, net_cents: int) -> Quantified:
    """A line's quantity and price; where it has no quantity, one of it at the whole amount.

    The price is the amount over the quantity at eight decimals: times the quantity it is the amount again, to far less
    than a cent (EN 16931 BR-27: no negative price, so the quantity is negative where the amount is).
    """
    if quantity_milli == 0:
        return Quantified("-1" if net_cents < 0 else "1", UNITS.get(unit, PIECE), decimal(abs(net_cents), 2))
    quantity_milli = abs(quantity_milli) * (-1 if net_cents < 0 else 1)
    price = (Decimal(abs(net_cents)) / 100 / (Decimal(abs(quantity_milli)) / 1000)).quantize(DECIMALS, ROUND_HALF_UP)
    return Quantified(decimal(quantity_milli, 3), UNITS.get(unit, PIECE), plain(price))


def cents(amount: int) -> str:
    """Cents as euros with two decimals."""
    return f"{Decimal(amount).scaleb(-2):.2f}"


def decimal(number: int, places: int) -> str:
    """`number` over ten to the `places`, without zeros at its end."""
    return plain(Decimal(number).scaleb(-places))


def plain(number: Decimal) -> str:
    """Without an exponent, and without zeros after the point that say nothing."""
    told = f"{number:f}"
    return (told.rstrip("0").rstrip(".") if "." in told else told) or "0"


def percent(permille: int) -> str:
    """A rate as EN 16931 writes it: 210 is 21."""
    return decimal(permille, 1)
