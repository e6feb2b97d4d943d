"""Passes as far as amounts go: single-purpose ones are taxed when sold, the others when used, at the host's rate."""

from __future__ import annotations

from tests.vat.cases import case, gross, net, outside, to_business

SOLD = "Directive 2006/112/CE, art. 30 ter, § 1"
USED = "Directive 2006/112/CE, art. 30 ter, § 2, et 73 bis"
COMMISSION = "Directive 2006/112/CE, art. 30 ter, § 2, al. 2"

CASES = (
    case(
        "single purpose: ten passes for 220.00, discount included, taxed when sold",
        gross(22000), (18182,), ("S", 210, 18182, 3818, None), SOLD,
    ),
    case("single purpose, unused: its VAT stays, and nothing is given back", (), (), (), "CJUE, C-250/14"),
    case(
        "single purpose, used at another space: the host serves the issuer at the agreement's price",
        net(1500, **to_business("BE")), (1500,), ("S", 210, 1500, 315, None), SOLD + ", al. 3",
    ),
    case(
        "multi purpose: ten passes for 220.00 are a payment, not a supply",
        outside(22000, USED), (22000,), ("O", 0, 22000, 0, None), USED,
    ),
    case(
        "multi purpose, used in Ath: 22.00 paid for it, VAT included",
        gross(2200), (1818,), ("S", 210, 1818, 382, None), USED,
    ),
    case(
        "multi purpose, used in Nantes: the same 22.00, at the host's rate",
        gross(2200, "FR"), (1833,), ("S", 200, 1833, 367, None), USED,
    ),
    case(
        "multi purpose, used in Réunion", gross(2200, "FR", postcode="97400"),
        (2028,), ("S", 85, 2028, 172, None), USED,
    ),
    case(
        "multi purpose, used at a small business: no VAT in it",
        gross(2200, regime="small_business"), (2200,), ("E", 0, 2200, 0, "be_small_business_56bis"), USED,
    ),
    case(
        "multi purpose, used at an association",
        gross(2200, "FR", regime="association"), (2200,), ("E", 0, 2200, 0, "fr_association_261_7"), USED,
    ),
    case(
        "multi purpose, expired unused: income without a supply",
        outside(2200, USED), (2200,), ("O", 0, 2200, 0, None), USED,
    ),
    case(
        "the issuer's commission from a host at home: 3.00 and 0.63, which leaves 18.37 of 22.00",
        net(300, **to_business("BE")), (300,), ("S", 210, 300, 63, None), COMMISSION,
    ),
    case(
        "the issuer's commission from a host over the border: 3.00, which leaves 19.00 of 22.00",
        net(300, **to_business("FR")), (300,), ("AE", 0, 300, 0, "reverse_charge"), COMMISSION,
    ),
    case(
        "an employer's day each at a Belgian and a French host: two documents; this is the Belgian's",
        (gross(2200), gross(2200)), (1818, 1818), ("S", 210, 3636, 764, None), USED,
    ),
)  # fmt: skip
