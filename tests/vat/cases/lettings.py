"""An office to oneself: exempt unless a row taxes it."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.vat.lettings import Letting
from tests.vat.cases import Line, case, net, to_business

SHORT = {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 6, 30)}
LONGER = {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 7, 1)}
SHORT_BE, OPTION_BE = "CTVA, art. 44, § 3, 2°, a), septième tiret", "CTVA, art. 44, § 3, 2°, d)"
EXEMPT_BE, CENTRE_BE = "CTVA, art. 44, § 3, 2°", "Circulaire AOIF n° 39/2005 (E.T. 108.816)"
ONE = (60000,)
TAXED_BE, TAXED_FR = ("S", 210, 60000, 12600, None), ("S", 200, 60000, 12000, None)
NOT_BE, NOT_FR = ("E", 0, 60000, 0, "be_letting_exempt_44"), ("E", 0, 60000, 0, "fr_letting_exempt_261d")


def office(country: str = "BE", *, business: bool = True, facts: dict[str, Any] | None = None, **terms: Any) -> Line:
    return net(60000, country, letting=Letting(**terms), **{"customer_is_business": business, **(facts or {})})


CASES = (
    case("an office for six months, to a business", office(**SHORT), ONE, TAXED_BE, SHORT_BE),
    case("for six months and a day", office(**LONGER), ONE, NOT_BE, EXEMPT_BE),
    case("without an end", office(starts_on=date(2026, 1, 1)), ONE, NOT_BE, EXEMPT_BE),
    case(
        "from 31 August to 28 February: six months",
        office(starts_on=date(2026, 8, 31), ends_on=date(2027, 2, 28)),
        ONE,
        TAXED_BE,
        "Règlement (CEE, Euratom) n° 1182/71, art. 3 ; " + SHORT_BE,
    ),
    case(
        "from 31 August to 29 February of a leap year: six months",
        office(starts_on=date(2027, 8, 31), ends_on=date(2028, 2, 29)),
        ONE,
        TAXED_BE,
        "Règlement (CEE, Euratom) n° 1182/71, art. 3 ; " + SHORT_BE,
    ),
    case("for six months, to a private person", office(business=False, **SHORT), ONE, NOT_BE, SHORT_BE),
    case(
        "for six months, before short lettings were taxed",
        office(facts={"day": date(2018, 12, 31)}, **SHORT),
        ONE,
        NOT_BE,
        "Loi du 14 octobre 2018, en vigueur le 1er janvier 2019",
    ),
    case("for years, with the option, to a business", office(option=True), ONE, TAXED_BE, OPTION_BE),
    case(
        "for years, with the option, to a private person", office(option=True, business=False), ONE, NOT_BE, OPTION_BE
    ),
    case(
        "for years, with the option, before there was one",
        office(option=True, facts={"day": date(2018, 12, 31)}),
        ONE,
        NOT_BE,
        "Loi du 14 octobre 2018, en vigueur le 1er janvier 2019",
    ),
    case("an office of a business centre", office(equipped=True), ONE, TAXED_BE, CENTRE_BE),
    case(
        "an office of a business centre, to a private person",
        office(equipped=True, business=False),
        ONE,
        TAXED_BE,
        CENTRE_BE,
    ),
    case(
        "to a French company: where the house stands", office(facts=to_business("FR"), **SHORT), ONE, TAXED_BE, SHORT_BE
    ),
    case("bare walls in Nantes", office("FR"), ONE, NOT_FR, "CGI, art. 261 D, 2°"),
    case("bare walls in Nantes for a month", office("FR", **SHORT), ONE, NOT_FR, "CGI, art. 261 D, 2°"),
    case("bare walls in Nantes, with the option", office("FR", option=True), ONE, TAXED_FR, "CGI, art. 260, 2°"),
    case("a furnished office in Nantes", office("FR", equipped=True), ONE, TAXED_FR, "CGI, art. 256 et 261 D, 2°"),
    case(
        "a furnished office in Nantes, to a private person",
        office("FR", equipped=True, business=False),
        ONE,
        TAXED_FR,
        "CGI, art. 256 et 261 D, 2°",
    ),
    case(
        "a furnished office in Réunion",
        office("FR", equipped=True, facts={"postcode": "97400"}),
        ONE,
        ("S", 85, 60000, 5100, None),
        "CGI, art. 256 et 296, 1°, b",
    ),
    case(
        "bare walls let by a French small business",
        office("FR", facts={"regime": "small_business"}),
        ONE,
        ("E", 0, 60000, 0, "fr_small_business_293b"),
        "CGI, art. 293 B",
    ),
    case(
        "a taxed desk and an exempt office on one document",
        (net(10000), office(starts_on=date(2026, 1, 1))),
        (10000, 60000),
        (("S", 210, 10000, 2100, None), NOT_BE),
        EXEMPT_BE,
    ),
)
