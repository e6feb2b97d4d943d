"""Yearly interest on late payments, as dated rows: pure.

Both laws build on the rate of the European Central Bank's main refinancing operations on the first day of a half-year
(Directive 2011/7/EU, art. 2, point 7). A half-year that is not in the table yet has no rate: nothing is claimed for it
until the table, or the operator's own terms, say one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

YEAR_DAYS = 365


class Reference(NamedTuple):
    """The central bank's rate, in hundredths of a percent, of the half-year that begins on a day."""

    since: date
    basis_points: int


# European Central Bank, key interest rates: main refinancing operations, in force on the first day of the half-year.
REFERENCES = (
    Reference(date(2023, 7, 1), 400),
    Reference(date(2024, 1, 1), 450),
    Reference(date(2024, 7, 1), 425),
    Reference(date(2025, 1, 1), 315),
    Reference(date(2025, 7, 1), 215),
    Reference(date(2026, 1, 1), 215),
)
KNOWN_UNTIL = date(2026, 6, 30)  # the last day of the last half-year above


class Margin(NamedTuple):
    """What a law adds to the reference rate, to how many hundredths of a percent the sum is rounded up, and where it
    says so."""

    basis_points: int
    rounded_to: int
    source: str


MARGINS = {
    # Rounded up to the next half percent: art. 5, al. 2.
    "BE": Margin(800, 50, "Loi du 2 août 2002 concernant la lutte contre le retard de paiement, art. 5"),
    "FR": Margin(1000, 1, "Code de commerce, art. L. 441-10, II"),
}


class Stretch(NamedTuple):
    """Days, both counted, at one yearly rate in hundredths of a percent; None where no rate is known."""

    first: date
    last: date
    basis_points: int | None


def yearly(country: str, since: date) -> int:
    """The statutory rate of the half-year that begins on `since`, in hundredths of a percent."""
    margin = MARGINS[country]
    reference = next(row.basis_points for row in REFERENCES if row.since == since)
    total = reference + margin.basis_points
    return -(-total // margin.rounded_to) * margin.rounded_to


def stretches(country: str, first: date, last: date, *, agreed: int | None = None) -> Iterator[Stretch]:
    """The days from `first` to `last`, cut where the rate changes; a rate that was `agreed` holds for all of them."""
    if first > last:
        return
    if agreed is not None:
        yield Stretch(first, last, agreed)
        return
    begins = [row.since for row in REFERENCES]
    ends = [*(since - timedelta(days=1) for since in begins[1:]), KNOWN_UNTIL]
    if first < begins[0]:
        yield Stretch(first, min(last, begins[0] - timedelta(days=1)), None)
    for since, until in zip(begins, ends, strict=True):
        if first <= until and since <= last:
            yield Stretch(max(first, since), min(last, until), yearly(country, since))
    if last > KNOWN_UNTIL:
        yield Stretch(max(first, KNOWN_UNTIL + timedelta(days=1)), last, None)
