"""Dated VAT rates and what each regime of an operator means, as rows with their legal source."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, NamedTuple

from app.errors import Problem


class VatUndecided(Problem):
    """No row of the tables answers: the facts name the country, the regime or the day that is missing."""

    code: ClassVar[str] = "vat_undecided"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "The VAT tables have no answer for this."


class Rate(NamedTuple):
    """`permille` holds from `valid_from` until a later row of the same country and category."""

    country: str
    category: str
    permille: int
    valid_from: date
    source: str


class Treatment(NamedTuple):
    """What a regime does to a domestic supply: an EN 16931 category, the mention that a document must carry, why.

    `taxable_person`: whether the operator acts as one at all; only then can a customer abroad owe the VAT instead.
    """

    country: str
    regime: str
    category: str
    mention_code: str | None
    taxable_person: bool
    source: str


RATES: tuple[Rate, ...] = (
    Rate("BE", "standard", 210, date(1996, 1, 1), "Arrêté royal n° 20 du 20 juillet 1970, art. 1er"),
    Rate("FR", "standard", 196, date(2000, 4, 1), "CGI, art. 278 (jusqu'au 31 décembre 2013)"),
    Rate("FR", "standard", 200, date(2014, 1, 1), "CGI, art. 278"),
)

TREATMENTS: tuple[Treatment, ...] = (
    Treatment("BE", "standard", "S", None, True, "Code de la TVA, art. 2 et 18"),
    Treatment("BE", "small_business", "E", "be_small_business_56bis", True, "Code de la TVA, art. 56bis"),
    Treatment("BE", "association", "O", "be_association_not_taxable", False, "Code de la TVA, art. 4"),
    Treatment("FR", "standard", "S", None, True, "CGI, art. 256"),
    Treatment("FR", "small_business", "E", "fr_small_business_293b", True, "CGI, art. 293 B"),
    Treatment("FR", "association", "O", "fr_association_not_taxable", False, "CGI, art. 256 A"),
)

EU_COUNTRIES = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)

_TREATMENTS = {(row.country, row.regime): row for row in TREATMENTS}


def rate_on(day: date, *, country: str, category: str = "standard") -> Rate:
    """The rate of a country in force on `day`. Raises VatUndecided where the table has none."""
    in_force = [row for row in RATES if (row.country, row.category) == (country, category) and row.valid_from <= day]
    if not in_force:
        raise VatUndecided(country=country, category=category, day=day.isoformat())
    return max(in_force, key=lambda row: row.valid_from)


def treatment(*, country: str, regime: str) -> Treatment:
    """What the regime of an operator in `country` does. Raises VatUndecided for an unknown pair."""
    try:
        return _TREATMENTS[country, regime]
    except KeyError:
        raise VatUndecided(country=country, regime=regime) from None
