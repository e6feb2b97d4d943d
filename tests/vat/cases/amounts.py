"""Cents: VAT once per rate on the total, and nothing lost between the lines."""

from __future__ import annotations

from tests.vat.cases import case, gross, net

ON_TOTALS = "Directive 2006/112/CE, art. 226, points 8 à 10 ; EN 16931, BR-CO-17"
HALF_UP = "CJUE, C-484/06 (Ahold) : l'arrondi au cent le plus proche ; EN 16931, BR-CO-17"
ANNOUNCED = "Code de droit économique, art. VI.4 ; Code de la consommation, art. L112-1"

CASES = (
    case(
        "three lines of 3.33: 2.0979 at once, not three times 0.70",
        (net(333),) * 3, (333,) * 3, ("S", 210, 999, 210, None), ON_TOTALS,
    ),
    case(
        "17 lines of 0.99: 3.5343, where line by line would make 3.57",
        (net(99),) * 17, (99,) * 17, ("S", 210, 1683, 353, None), ON_TOTALS,
    ),
    case(
        "31 lines of 2.99 with VAT: 92.69 stays 92.69; line by line would make 16.12 of VAT",
        (gross(299),) * 31, (248,) * 3 + (247,) * 28, ("S", 210, 7660, 1609, None), ANNOUNCED,
    ),
    case("half a cent of VAT goes up", net(50), (50,), ("S", 210, 50, 11, None), HALF_UP),
    case("half a cent of VAT given back goes down", net(-50), (-50,), ("S", 210, -50, -11, None), HALF_UP),
    case(
        "three times a euro with VAT stays three euros",
        (gross(100),) * 3, (83, 83, 82), ("S", 210, 248, 52, None), ANNOUNCED,
    ),
    case("three cents, which no net price gives with 21 %", gross(3), (2,), ("S", 210, 2, 1, None), ANNOUNCED),
    case("a cent holds no VAT", gross(1), (1,), ("S", 210, 1, 0, None), HALF_UP),
    case("free of charge", net(0), (0,), ("S", 210, 0, 0, None), "Directive 2006/112/CE, art. 73"),
    case(
        "priced with VAT and without on one document",
        (net(10000), gross(12100)), (10000, 10000), ("S", 210, 20000, 4200, None), ON_TOTALS,
    ),
    case(
        "both kinds, 21 + 17.355: rounded once",
        (net(100), gross(100)), (100, 83), ("S", 210, 183, 38, None), ON_TOTALS,
    ),
    case(
        "100.00 with VAT in three instalments that lose no cent",
        (gross(3334), gross(3333), gross(3333)),
        (2755, 2755, 2754), ("S", 210, 8264, 1736, None), ANNOUNCED,
    ),
    case(
        "a thousand desks of 24.99 without VAT",
        (net(2499),) * 1000, (2499,) * 1000, ("S", 210, 2499000, 524790, None), ON_TOTALS,
    ),
)  # fmt: skip
