"""Money as integer cents with a currency: exact, and no operation here loses or invents a cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import CurrencyMismatch


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in the smallest unit of `currency` (ISO 4217). Negative amounts are allowed: they are owed back."""

    cents: int
    currency: str = "EUR"

    def __post_init__(self) -> None:
        if type(self.cents) is not int:
            raise TypeError(f"cents must be an int, not {type(self.cents).__name__}")

    def __add__(self, other: Money) -> Money:
        return Money(self.cents + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.cents - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.cents, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.cents < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.cents <= self._same(other)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(expected=self.currency, given=other.currency)
        return other.cents


def round_half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded half away from zero, in integers (the rounding of VAT in both countries)."""
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def split(cents: int, weights: Sequence[int]) -> list[int]:
    """Split `cents` in proportion to `weights` by largest remainder; the parts always sum to `cents`.

    Ties go to the earlier part, so that the same split gives the same parts every time.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all zero")
    sign, amount = (-1, -cents) if cents < 0 else (1, cents)
    parts = [amount * weight // total for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for i in remainders[: amount - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]
