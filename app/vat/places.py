"""Which country taxes a service: the rules that a product may follow, and who owes the VAT across a border."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.vat.rates import EU_COUNTRIES, VatUndecided


class PlaceRule(NamedTuple):
    """`follows_customer`: a business customer is taxed where it is established, anybody else where the space is."""

    code: str
    follows_customer: bool
    source: str


class Abroad(NamedTuple):
    """What a service to a business in another country is to its supplier."""

    category: str
    mention_code: str


RULES: tuple[PlaceRule, ...] = (
    PlaceRule("IMMOVABLE", False, "Directive 2006/112/CE, art. 47 ; CTVA, art. 21, § 3, 1° ; CGI, art. 259 A, 2°"),
    PlaceRule("GENERAL_B2B", True, "Directive 2006/112/CE, art. 44 et 45 ; CTVA, art. 21 et 21bis ; CGI, art. 259"),
)

ABROAD: Mapping[bool, Abroad] = {True: Abroad("AE", "reverse_charge"), False: Abroad("O", "outside_eu_art_44")}
"""By whether the customer's country is in the Union (directive 2006/112/CE, art. 196 and 226, point 11 bis)."""

# Why the supplier's own country does not tax it, and why the customer owes the tax in the country it is established in.
NOT_TAXED_HERE: Mapping[str, str] = {"BE": "Code de la TVA, art. 21, § 2", "FR": "CGI, art. 259, 1°"}
OWED_THERE: Mapping[str, str] = {"BE": "Code de la TVA, art. 51, § 2, 1°", "FR": "CGI, art. 283, 2"}
ARTICLE_44, ARTICLE_196 = "directive 2006/112/CE, art. 44", "directive 2006/112/CE, art. 196"

PLACES_OF_SUPPLY = tuple(rule.code for rule in RULES)
_RULES = {rule.code: rule for rule in RULES}


def place_rule(code: str) -> PlaceRule:
    """Raises VatUndecided for a rule nobody knows."""
    try:
        return _RULES[code]
    except KeyError:
        raise VatUndecided(place_of_supply=code) from None


def abroad(supplier: str, customer: str) -> tuple[Abroad, str]:
    """What a service from one country to a business of another is, and its grounds in both laws."""
    within = customer in EU_COUNTRIES
    here = NOT_TAXED_HERE.get(supplier, ARTICLE_44)
    there = OWED_THERE.get(customer, ARTICLE_196)
    return ABROAD[within], f"{here} ; {there}" if within else here
