"""The VAT of one supply, decided from facts alone: where, by whom, to whom, when."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from app.errors import Invalid
from app.money import round_half_up
from app.vat.rates import EU_COUNTRIES, VatUndecided, rate_on, treatment

PLACES_OF_SUPPLY = ("IMMOVABLE", "GENERAL_B2B")


class Decision(NamedTuple):
    """The rate to charge, its EN 16931 category (S, E, O, AE), the legal ground, the mention a document needs.

    `waived_permille` is the VAT that the operator's "VAT included" prices contain and this customer does not pay to
    it, because he owes it at home: such a customer pays the list price less that VAT.
    """

    rate_permille: int
    category: str
    ground: str
    mention_code: str | None = None
    waived_permille: int = 0


class Amounts(NamedTuple):
    """Cents; gross = net + vat."""

    gross: int
    net: int
    vat: int


_ABROAD = {
    True: ("AE", "Directive 2006/112/CE, art. 44 et 196", "reverse_charge"),
    False: ("O", "Directive 2006/112/CE, art. 44", "outside_eu_art_44"),
}
"""A service to a business in another country, by whether that country is in the Union."""


def decide(
    *,
    country: str,
    regime: str = "standard",
    place_of_supply: str = "IMMOVABLE",
    day: date,
    customer_country: str | None = None,
    customer_is_business: bool = False,
) -> Decision:
    """The VAT on a supply of `day` by an operator of `regime` whose space is in `country` (ISO 3166 codes).

    IMMOVABLE: taxed where the space is, whoever buys. GENERAL_B2B: where the business customer is, who owes the VAT
    if that is another country (a small business's exemption holds at home only; a non-taxable association is outside
    VAT everywhere); anybody else is taxed where the space is. Raises VatUndecided for a country, regime, rule or day
    without a row; Invalid if a business customer's country decides and is missing.
    """
    if place_of_supply not in PLACES_OF_SUPPLY:
        raise VatUndecided(place_of_supply=place_of_supply)
    at_home = _at_home(country, regime, day)
    follows_customer = place_of_supply == "GENERAL_B2B" and customer_is_business
    if not follows_customer or not treatment(country=country, regime=regime).taxable_person:
        return at_home
    if not customer_country:
        raise Invalid.field("customer_country", "is needed for a business customer: it decides the VAT")
    return at_home if customer_country == country else _abroad(customer_country, at_home)


def price_with_vat(cents: int, includes_vat: bool, decision: Decision) -> Amounts:
    """Gross, net and VAT of a list price in cents, half-up once; a price with VAT keeps its gross when taxed."""
    if not includes_vat:
        vat = round_half_up(cents * decision.rate_permille, 1000)
        return Amounts(cents + vat, cents, vat)
    contained_permille = decision.rate_permille or decision.waived_permille
    contained = round_half_up(cents * contained_permille, 1000 + contained_permille)
    vat = contained if decision.rate_permille else 0
    return Amounts(cents - contained + vat, cents - contained, vat)


def _at_home(country: str, regime: str, day: date) -> Decision:
    row = treatment(country=country, regime=regime)
    if row.category != "S":
        return Decision(0, row.category, row.source, row.mention_code)
    rate = rate_on(day, country=country)
    return Decision(rate.permille, row.category, rate.source)


def _abroad(customer_country: str, at_home: Decision) -> Decision:
    category, ground, mention_code = _ABROAD[customer_country in EU_COUNTRIES]
    return Decision(0, category, ground, mention_code, at_home.rate_permille)
