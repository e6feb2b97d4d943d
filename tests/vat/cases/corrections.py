"""What is taken back, kept or held: at the rate of the day it was supplied."""

from __future__ import annotations

from datetime import date

from tests.vat.cases import case, gross, net, outside, to_business

ARTICLE_90, CREDIT_FR = "Directive 2006/112/CE, art. 90 ; CTVA, art. 77", "CGI, art. 272, 1 et 269"
DEPOSIT = "CJUE, C-277/05 (Société thermale d'Eugénie-les-Bains) : une garantie ne paie aucun service"

CASES = (
    case(
        "a credit note of 2014 for a desk of 2013: at 19.6 %, not at 20 %",
        gross(-11960, "FR", day=date(2013, 12, 31)),
        (-10000,), ("S", 196, -10000, -1960, None), CREDIT_FR,
    ),
    case(
        "a credit note after the operator joined the small businesses: with the VAT it had charged",
        gross(-3025), (-2500,), ("S", 210, -2500, -525, None), ARTICLE_90,
    ),
    case(
        "a credit note of 2026 for a small business's desk of 2024: with the mention of then",
        net(-2500, regime="small_business", day=date(2024, 6, 1)),
        (-2500,), ("E", 0, -2500, 0, "be_small_business_2014"), "AR n° 19 du 29 juin 2014",
    ),
    case(
        "a credit note for what a French company owed VAT on",
        net(-10000, **to_business("FR")), (-10000,), ("AE", 0, -10000, 0, "reverse_charge"), ARTICLE_90,
    ),
    case(
        "a booking already invoiced and cancelled free of charge",
        gross(-5000), (-4132,), ("S", 210, -4132, -868, None), ARTICLE_90,
    ),
    case(
        "cancelled for half, before the invoice: charge and correction on one document",
        (gross(5000), gross(-2500)), (4132, -2066), ("S", 210, 2066, 434, None), ARTICLE_90,
    ),
    case(
        "charged and wholly given back within the month",
        (gross(5000), gross(-5000)), (4132, -4132), ("S", 210, 0, 0, None), ARTICLE_90,
    ),
    case(
        "moved to a dearer hour: the difference",
        (net(2500), net(-2500), net(4000)), (2500, -2500, 4000), ("S", 210, 4000, 840, None), ARTICLE_90,
    ),
    case(
        "half the price kept on a late cancellation is a price: 12.50 and 2.63 of 15.13",
        gross(1513), (1250,), ("S", 210, 1250, 263, None), "CJUE, C-295/17 (MEO)",
    ),
    case(
        "nobody came: the whole price, with its VAT",
        gross(3025), (2500,), ("S", 210, 2500, 525, None), "CJUE, C-250/14 (Air France-KLM et Hop!)",
    ),
    case("a deposit for a key", outside(5000, DEPOSIT), (5000,), ("O", 0, 5000, 0, None), DEPOSIT),
    case(
        "a deposit given back beside the last desk",
        (outside(-5000, DEPOSIT), net(2500)), (-5000, 2500),
        (("S", 210, 2500, 525, None), ("O", 0, -5000, 0, None)), DEPOSIT,
    ),
    case(
        "a desk in France and its partial credit at 19.6 % beside a desk at 20 %",
        (gross(-598, "FR", day=date(2013, 12, 31)), gross(1200, "FR", day=date(2014, 1, 1))),
        (-500, 1000), (("S", 200, 1000, 200, None), ("S", 196, -500, -98, None)), CREDIT_FR,
    ),
)  # fmt: skip
