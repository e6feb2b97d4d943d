"""Which rate, where and when; and what the operator's regime makes of it."""

from __future__ import annotations

from datetime import date

from tests.vat.cases import case, gross, net

AR20, CGI278 = "AR n° 20 du 20 juillet 1970, art. 1er", "CGI, art. 278"
SMALL_BE, SMALL_FR = "CTVA, art. 56bis ; AR n° 1, art. 5, § 1er, 10° quater", "CGI, art. 293 B et 293 E"
LAST_196, FIRST_200 = date(2013, 12, 31), date(2014, 1, 1)

CASES = (
    case("a desk in Ath, priced without VAT", net(2500), (2500,), ("S", 210, 2500, 525, None), AR20),
    case("a desk in Ath, priced with VAT", gross(3025), (2500,), ("S", 210, 2500, 525, None), AR20),
    case("a desk in Nantes, priced without VAT", net(2500, "FR"), (2500,), ("S", 200, 2500, 500, None), CGI278),
    case("a desk in Nantes, priced with VAT", gross(3000, "FR"), (2500,), ("S", 200, 2500, 500, None), CGI278),
    case(
        "Nantes on the last day of 19.6 %",
        net(2500, "FR", day=LAST_196),
        (2500,),
        ("S", 196, 2500, 490, None),
        "CGI, art. 278 (2013)",
    ),
    case(
        "a document of both sides of a change of rate",
        (net(2500, "FR", day=LAST_196), net(2500, "FR", day=FIRST_200)),
        (2500, 2500),
        (("S", 200, 2500, 500, None), ("S", 196, 2500, 490, None)),
        "Loi n° 2012-1510, art. 68",
    ),
    case(
        "Guadeloupe: 212.5 cents of VAT go up",
        net(2500, "FR", postcode="97110"),
        (2500,),
        ("S", 85, 2500, 213, None),
        "CGI, art. 296, 1°, b",
    ),
    case(
        "Martinique, priced with VAT",
        gross(1085, "FR", postcode="97200"),
        (1000,),
        ("S", 85, 1000, 85, None),
        "CGI, art. 296, 1°, b",
    ),
    case("Réunion", net(10000, "FR", postcode="97400"), (10000,), ("S", 85, 10000, 850, None), "CGI, art. 296, 1°, b"),
    case(
        "Guyane, where VAT is not applied",
        net(2500, "FR", postcode="97300"),
        (2500,),
        ("O", 0, 2500, 0, "fr_overseas_294"),
        "CGI, art. 294, 1",
    ),
    case(
        "Mayotte, on a list that includes VAT: there is none in it",
        gross(3000, "FR", postcode="97600"),
        (3000,),
        ("O", 0, 3000, 0, "fr_overseas_294"),
        "CGI, art. 294, 1",
    ),
    case(
        "a small business in Belgium",
        net(2500, regime="small_business"),
        (2500,),
        ("E", 0, 2500, 0, "be_small_business_56bis"),
        SMALL_BE,
    ),
    case(
        "a small business in Belgium on the last day of the old mention",
        net(2500, regime="small_business", day=date(2024, 12, 31)),
        (2500,),
        ("E", 0, 2500, 0, "be_small_business_2014"),
        "AR n° 19 du 29 juin 2014",
    ),
    case(
        "a small business in France, on a list that includes VAT: there is none in it",
        gross(3000, "FR", regime="small_business"),
        (3000,),
        ("E", 0, 3000, 0, "fr_small_business_293b"),
        SMALL_FR,
    ),
    case(
        "a small business in Réunion",
        net(2500, "FR", regime="small_business", postcode="97400"),
        (2500,),
        ("E", 0, 2500, 0, "fr_small_business_293b"),
        SMALL_FR,
    ),
    case(
        "a non-taxable association in Belgium",
        net(2500, regime="association"),
        (2500,),
        ("O", 0, 2500, 0, "be_association_not_taxable"),
        "CTVA, art. 4",
    ),
    case(
        "a disinterested association in France",
        net(2500, "FR", regime="association"),
        (2500,),
        ("E", 0, 2500, 0, "fr_association_261_7"),
        "CGI, art. 261, 7, 1° ; BOI-TVA-CHAMP-30-10-30",
    ),
    case(
        "an operator that leaves the small businesses in the middle of a month",
        (net(5000, regime="small_business"), net(5000)),
        (5000, 5000),
        (("S", 210, 5000, 1050, None), ("E", 0, 5000, 0, "be_small_business_56bis")),
        SMALL_BE,
    ),
)
