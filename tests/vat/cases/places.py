"""Which country taxes, and who owes the tax across the border."""

from __future__ import annotations

from tests.vat.cases import case, gross, net, to_business

ARTICLE_47 = "Directive 2006/112/CE, art. 47 ; CTVA, art. 21, § 3, 1° ; CGI, art. 259 A, 2°"
REVERSED_FR = "CTVA, art. 21, § 2 ; CGI, art. 283, 2 ; directive art. 196 et 226, 11 bis"
WITHIN = "Directive 2006/112/CE, art. 44 et 196"
REVERSED_BE = "CGI, art. 259, 1° ; CTVA, art. 51, § 2, 1° ; directive art. 196 et 226, 11 bis"
ARTICLE_44, ARTICLE_45 = "Directive 2006/112/CE, art. 44", "Directive 2006/112/CE, art. 45"
BUSINESS = {"customer_is_business": True}
REVERSED = ("AE", 0, 10000, 0, "reverse_charge")
NOT_HERE = ("O", 0, 10000, 0, "outside_eu_art_44")
BELGIAN, FRENCH = ("S", 210, 10000, 2100, None), ("S", 200, 10000, 2000, None)
ONE = (10000,)

CASES = (
    case(
        "a French company in Namur: Belgian VAT, as for everybody",
        net(10000, **BUSINESS, customer_country="FR"),
        ONE,
        BELGIAN,
        ARTICLE_47,
    ),
    case(
        "a Belgian company in Nantes: French VAT, as for everybody",
        net(10000, "FR", **BUSINESS, customer_country="BE"),
        ONE,
        FRENCH,
        ARTICLE_47,
    ),
    case(
        "a Swiss company in Nantes, where the desk is taxed",
        net(10000, "FR", **BUSINESS, customer_country="CH"),
        ONE,
        FRENCH,
        ARTICLE_47,
    ),
    case("a French company, general rule", net(10000, **to_business("FR")), ONE, REVERSED, REVERSED_FR),
    case("a Belgian company in Nantes, general", net(10000, "FR", **to_business("BE")), ONE, REVERSED, REVERSED_BE),
    case("a German company, general rule", net(10000, **to_business("DE")), ONE, REVERSED, WITHIN),
    case("a Greek company in Nantes", net(10000, "FR", **to_business("GR")), ONE, REVERSED, WITHIN),
    case("a Swiss company, general rule", net(10000, **to_business("CH")), ONE, NOT_HERE, ARTICLE_44),
    case("a British company in Nantes", net(10000, "FR", **to_business("GB")), ONE, NOT_HERE, ARTICLE_44),
    case("a Belgian company at home, general rule", net(10000, **to_business("BE")), ONE, BELGIAN, ARTICLE_44),
    case(
        "a private person from France, general rule: where the supplier is",
        net(10000, place_of_supply="GENERAL_B2B", customer_country="FR"),
        ONE,
        BELGIAN,
        ARTICLE_45,
    ),
    case(
        "a French company whose number VIES does not know: as a private person",
        net(10000, **{**to_business("FR"), "customer_is_business": False}),
        ONE,
        BELGIAN,
        "Règlement d'exécution (UE) n° 282/2011, art. 18",
    ),
    case(
        "a number that stops being valid within the month: from that day on, VAT",
        (net(10000, **to_business("FR")), net(10000, **{**to_business("FR"), "customer_is_business": False})),
        (10000, 10000),
        (BELGIAN, REVERSED),
        "Règlement d'exécution (UE) n° 282/2011, art. 18",
    ),
    case(
        "a list that includes VAT, to a French company: the list price less the VAT it would not pay here",
        gross(12100, **to_business("FR")),
        ONE,
        REVERSED,
        "Directive 2006/112/CE, art. 73 et 78",
    ),
    case(
        "a French small business serving a Belgian company: the exemption ends at the border",
        net(10000, "FR", regime="small_business", **to_business("BE")),
        ONE,
        REVERSED,
        REVERSED_BE,
    ),
    case(
        "a French association serving a Belgian company stays exempt",
        net(10000, "FR", regime="association", **to_business("BE")),
        ONE,
        ("E", 0, 10000, 0, "fr_association_261_7"),
        "CGI, art. 261, 7, 1°",
    ),
    case(
        "a company of Monaco in Nice: one territory of VAT",
        net(10000, "FR", postcode="06000", **to_business("MC")),
        ONE,
        FRENCH,
        "Directive 2006/112/CE, art. 7",
    ),
    case(
        "a company of Réunion in Nantes: France too",
        net(10000, "FR", **to_business("RE")),
        ONE,
        FRENCH,
        "CGI, art. 259, 1°",
    ),
    case(
        "a Belgian company in Réunion, general rule, on a list that includes 8.5 %",
        gross(10850, "FR", postcode="97400", **to_business("BE")),
        ONE,
        REVERSED,
        REVERSED_BE,
    ),
)
