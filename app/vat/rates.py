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
    """`permille` holds in `territory` from `valid_from` until a later row of the same territory and category."""

    territory: str
    category: str
    permille: int
    valid_from: date
    source: str


class Treatment(NamedTuple):
    """What a regime does to a domestic supply from `valid_from` until a later row of the same country and regime: an
    EN 16931 category, the mention that a document must carry, why.

    `crosses_borders`: whether a business customer abroad can owe the VAT instead; not of an association, which is not
    identified for VAT and stays what it is wherever its customer is.
    """

    country: str
    regime: str
    valid_from: date
    category: str
    mention_code: str | None
    crosses_borders: bool
    source: str


_BE, _FR = date(1996, 1, 1), date(2000, 4, 1)  # these tables begin here
_OVERSEAS = "CGI, art. 296, 1°, b"

RATES: tuple[Rate, ...] = (
    Rate("BE", "standard", 210, _BE, "Arrêté royal n° 20 du 20 juillet 1970, art. 1er"),
    Rate("FR", "standard", 196, _FR, "CGI, art. 278 (jusqu'au 31 décembre 2013)"),
    Rate("FR", "standard", 200, date(2014, 1, 1), "CGI, art. 278"),
    Rate("GP", "standard", 85, date(2001, 3, 31), _OVERSEAS),
    Rate("MQ", "standard", 85, date(2001, 3, 31), _OVERSEAS),
    Rate("RE", "standard", 85, date(2001, 3, 31), _OVERSEAS),
)

# The French articles moved to the code des impositions sur les biens et services (ordonnance n° 2025-1247) without a
# change of substance; documents may name the old ones until 31 December 2027. Rows with the new ones begin before 2028.
_56BIS_2014 = "Code de la TVA, art. 56bis ; arrêté royal n° 19 du 29 juin 2014"
_56BIS_2025 = "Code de la TVA, art. 56bis ; arrêté royal n° 19 du 15 décembre 2024"

TREATMENTS: tuple[Treatment, ...] = (
    Treatment("BE", "standard", _BE, "S", None, True, "Code de la TVA, art. 2 et 18"),
    Treatment("BE", "small_business", date(2014, 4, 1), "E", "be_small_business_2014", True, _56BIS_2014),
    Treatment("BE", "small_business", date(2025, 1, 1), "E", "be_small_business_56bis", True, _56BIS_2025),
    Treatment("BE", "association", _BE, "O", "be_association_not_taxable", False, "Code de la TVA, art. 4"),
    Treatment("FR", "standard", _FR, "S", None, True, "CGI, art. 256"),
    Treatment("FR", "small_business", _FR, "E", "fr_small_business_293b", True, "CGI, art. 293 B"),
    Treatment("FR", "association", _FR, "E", "fr_association_261_7", False, "CGI, art. 261, 7, 1°"),
)

EU_COUNTRIES = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)


def rate_on(day: date, *, territory: str, category: str = "standard") -> Rate:
    """The rate of a territory in force on `day`. Raises VatUndecided where the table has none."""
    rows = (row for row in RATES if (row.territory, row.category) == (territory, category) and row.valid_from <= day)
    if found := max(rows, key=lambda row: row.valid_from, default=None):
        return found
    raise VatUndecided(territory=territory, category=category, day=day.isoformat())


def treatment(day: date, *, country: str, regime: str) -> Treatment:
    """What the regime of an operator in `country` does on `day`. Raises VatUndecided where the table has no row."""
    rows = (row for row in TREATMENTS if (row.country, row.regime) == (country, regime) and row.valid_from <= day)
    if found := max(rows, key=lambda row: row.valid_from, default=None):
        return found
    raise VatUndecided(country=country, regime=regime, day=day.isoformat())
