"""The VAT of one supply, decided from facts alone: where, by whom, to whom, when."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from app.errors import Invalid
from app.money import round_half_up
from app.vat.lettings import Letting, letting_rule
from app.vat.places import abroad, place_rule
from app.vat.rates import rate_on, treatment
from app.vat.territories import FISCAL_COUNTRY, territory_of, without_vat


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


def decide(
    *,
    country: str,
    regime: str = "standard",
    place_of_supply: str = "IMMOVABLE",
    day: date,
    customer_country: str | None = None,
    customer_is_business: bool = False,
    postcode: str = "",
    letting: Letting | None = None,
) -> Decision:
    """The VAT on a supply of `day` by an operator of `regime` whose space is in `country` (ISO 3166 codes), at
    `postcode`, which decides where a country has more than one rate.

    IMMOVABLE: taxed where the space is, whoever buys; so is every `letting` of an office, which may be exempt.
    GENERAL_B2B: where the business customer is, who owes the VAT if that is another country (a small business's
    exemption holds at home only; an association stays outside VAT or exempt everywhere); anybody else is taxed where
    the space is. `customer_is_business` is true of a customer that acts as one and has shown it: a number that VIES
    does not know makes a private person of it.
    Raises VatUndecided for a country, postcode, regime, rule or day without a row; Invalid if a business customer's
    country decides and is missing.
    """
    follows_customer = place_rule(place_of_supply).follows_customer and customer_is_business and letting is None
    at_home = _at_home(country, postcode, regime, day, letting, customer_is_business)
    if not follows_customer or not treatment(day, country=country, regime=regime).crosses_borders:
        return at_home
    if not customer_country:
        raise Invalid.field("customer_country", "is needed for a business customer: it decides the VAT")
    customer = FISCAL_COUNTRY.get(customer_country, customer_country)
    if customer == country:
        return at_home
    what, ground = abroad(country, customer)
    return Decision(0, what.category, ground, what.mention_code, at_home.rate_permille)


def price_with_vat(cents: int, includes_vat: bool, decision: Decision) -> Amounts:
    """Gross, net and VAT of a list price in cents, half-up once; a price with VAT keeps its gross when taxed."""
    if not includes_vat:
        vat = round_half_up(cents * decision.rate_permille, 1000)
        return Amounts(cents + vat, cents, vat)
    contained_permille = decision.rate_permille or decision.waived_permille
    contained = round_half_up(cents * contained_permille, 1000 + contained_permille)
    vat = contained if decision.rate_permille else 0
    return Amounts(cents - contained + vat, cents - contained, vat)


def _at_home(
    country: str, postcode: str, regime: str, day: date, letting: Letting | None, to_business: bool
) -> Decision:
    territory = territory_of(country, postcode)
    if none := without_vat(territory, day):
        return Decision(0, "O", none.source, none.mention_code)
    row = treatment(day, country=country, regime=regime)
    if row.category != "S":
        return Decision(0, row.category, row.source, row.mention_code)
    rate = rate_on(day, territory=territory)
    if letting is None:
        return Decision(rate.permille, row.category, rate.source)
    rule = letting_rule(letting, country=country, day=day, to_business=to_business)
    permille, ground = (rate.permille, f"{rule.source} ; {rate.source}") if rule.category == "S" else (0, rule.source)
    return Decision(permille, rule.category, ground, rule.mention_code)
