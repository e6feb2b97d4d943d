"""The documents of the corpus, by what each is there for; every one is judged by the official rules in each format that
its parties make possible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from app.vat.lettings import Letting
from tests.billing.einvoices.corpus import ATH, NANTES, buyer, credit_note, invoices, seller, supply

Content = dict[str, Any]

BE, FR = buyer("BE"), buyer("FR", postcode="59000", town="Lille", street="1 rue de Paris")
DUTCH, GERMAN, BRITISH = buyer("NL"), buyer("DE"), buyer("GB")
PRIVATE = buyer("BE", business=False)
ATH_SMALL, ATH_CLUB = seller("BE", regime="small_business", n=51), seller("BE", regime="association", n=52)
NANTES_SMALL = seller("FR", regime="small_business", n=53)
NANTES_CLUB = seller("FR", regime="association", n=54)
REUNION = seller("FR", n=55, postcode="97400", town="Saint-Denis")
BARE_BE = Letting(starts_on=date(2026, 1, 1))


def one(*cents: int, sold_by: Any = ATH, to: Any = BE, locale: str = "fr", **said: Any) -> Content:
    """One invoice of lines at these prices."""
    charges = [supply(each, sold_by=sold_by, to=to, **said) for each in cents]
    (document,) = invoices(*charges, sold_by=sold_by, to=to, locale=locale)
    return document


def _one_of(rates: dict[int, list[int]], *, sold_by: Any = ATH, to: Any = BE, **said: Any) -> Content:
    charges = [
        supply(each, sold_by=sold_by, to=to, rate=rate, **said) for rate, prices in rates.items() for each in prices
    ]
    (document,) = invoices(*charges, sold_by=sold_by, to=to)
    return document


def _noted(*cents: int, sold_by: Any = ATH, to: Any = BE, locale: str = "fr", **said: Any) -> Content:
    charges = [supply(each, sold_by=sold_by, to=to, **said) for each in cents]
    return credit_note(charges, sold_by=sold_by, to=to, locale=locale)


def _part_noted(sold_by: Any = ATH, to: Any = BE) -> Content:
    charges = [supply(each, sold_by=sold_by, to=to, includes_vat=True) for each in (999, 1001, 3333)]
    return credit_note(charges[:1], sold_by=sold_by, to=to, of=charges)


def _self_billed(document: Content) -> Content:
    return {**document, "self_billed": True}


def _discounted() -> Content:
    full = supply(20000, sold_by=ATH, to=BE)
    less = supply(-3333, sold_by=ATH, to=BE, kind="adjustment", facts={"text": "Remise fidélité"})
    (document,) = invoices(full, less, sold_by=ATH, to=BE)
    return document


def _deposit(sold_by: Any, to: Any) -> Content:
    charge = supply(30000, sold_by=sold_by, to=to, kind="deposit", facts={"text": "Clé et badge"})
    outside = charge._replace(
        vat_category="O", vat_permille=0, vat_cents=0, gross_cents=charge.net_cents, vat_ground="no supply",
        vat_mention=None, earned=False,
    )  # fmt: skip
    (document,) = invoices(outside, sold_by=sold_by, to=to)
    return document


def _spanning() -> Content:
    days = [(date(2026, 8, 31), date(2026, 9, 30)), (date(2026, 9, 15), date(2026, 10, 14))]
    charges = [
        supply(12000, sold_by=ATH, to=BE, service_from=first, service_until=last, unit="cycle", kind="membership")
        for first, last in days
    ]
    (document,) = invoices(*charges, sold_by=ATH, to=BE)
    return document


def _several_grounds() -> Content:
    """Exempt for two different reasons: EN 16931 wants one breakdown of the category."""
    charges = [
        supply(50000, sold_by=ATH, to=BE, letting=BARE_BE),
        supply(7000, sold_by=ATH_SMALL, to=BE),
        supply(2000, sold_by=ATH, to=BE),
    ]
    (document,) = invoices(*charges, sold_by=ATH, to=BE)
    return document


def _hours() -> Content:
    charges = [
        supply(cents, sold_by=ATH, to=BE, quantity_milli=milli, unit=unit)
        for cents, milli, unit in ((1000, 3000, "hour"), (1, 7000, "day"), (99999, 333, "hour"), (5, 9999999, "piece"),
                                   (2500, 0, "piece"))
    ]  # fmt: skip
    (document,) = invoices(*charges, sold_by=ATH, to=BE)
    return document


def _long(sold_by: Any = ATH, to: Any = BE, locale: str = "fr") -> Content:
    name = "Société coopérative d’intérêt collectif des tiers-lieux " * 4
    text = "Réservation de la très grande salle « Œuvre » – 1er étage & mezzanine <droite> " * 5
    charge = supply(4321, sold_by=sold_by, to=to, facts={"text": text.strip()}, person="Łucja Ñandú-Żółć")
    (document,) = invoices(charge, sold_by=sold_by, to=to._replace(name=name.strip()), locale=locale)
    return document


def _control_characters() -> Content:
    return one(1000, facts={"text": "Salle\x08 rouge\x1b[31m 😀\x00 et bleue"})


def _many(count: int, sold_by: Any, to: Any) -> Content:
    charges = [
        supply(1001 + 7 * i, sold_by=sold_by, to=to, includes_vat=bool(i % 3), space=f"Espace {i % 4}")
        for i in range(count)
    ]
    (document,) = invoices(*charges, sold_by=sold_by, to=to)
    return document


def _paid_and_rounded() -> Content:
    """What snapshots of tomorrow may say: some was paid before, and the rest is rounded to five cents."""
    document = one(10001)
    totals = {**document["totals"], "paid_cents": 5000, "due_cents": document["totals"]["gross_cents"] - 5000 - 1}
    return {**document, "totals": totals}


def _with_address() -> Content:
    document = one(5000)
    return {**document, "buyer": {**document["buyer"], "electronic_address": {"scheme": "0088", "id": "5412345000013"}}}


CASES: dict[str, Callable[[], Content]] = {
    "BE to BE, one line at 21 %": lambda: one(10000),
    "BE to BE, two prices with VAT in them": lambda: one(999, 1001, includes_vat=True),
    "BE to BE, prices with and without VAT": lambda: invoices(
        supply(999, sold_by=ATH, to=BE, includes_vat=True), supply(1234, sold_by=ATH, to=BE), sold_by=ATH, to=BE
    )[0],
    "BE to BE, at 6, 12 and 21 %": lambda: _one_of({60: [1050], 120: [3333], 210: [9999]}),
    "BE to BE, three times a third of a cent of VAT": lambda: one(101, 101, 101),
    "BE to BE, hundred and one prices with VAT of a cent": lambda: one(*[1] * 101, includes_vat=True),
    "BE to BE, half a cent to be rounded": lambda: one(50, 5000),
    "BE to BE, a discount": _discounted,
    "BE to BE, an order number": lambda: one(7777, to=BE._replace(purchase_order="PO 2026/17")),
    "BE to BE, in Dutch": lambda: one(7777, locale="nl"),
    "BE to BE, in German": lambda: one(7777, locale="de"),
    "BE to BE, in English": lambda: one(7777, locale="en"),
    "BE to BE, a period over two months": _spanning,
    "BE to BE, hours, days and odd quantities": _hours,
    "BE to BE, long names": _long,
    "BE to BE, control characters": _control_characters,
    "BE to BE, 200 lines": lambda: _many(200, ATH, BE),
    "BE to BE, credit note": lambda: _noted(10000, 2500),
    "BE to BE, credit note of a part, to the cent": _part_noted,
    "BE to BE, credit note in Dutch": lambda: _noted(10000, locale="nl"),
    "BE to BE, deposit": lambda: _deposit(ATH, BE),
    "BE to BE, bare office": lambda: one(50000, letting=BARE_BE),
    "BE to BE, bare office, desk, and one exempt otherwise": _several_grounds,
    "BE to BE, self-billed": lambda: _self_billed(one(4000, 4100)),
    "BE to BE, self-billed credit note": lambda: _self_billed(_noted(4000)),
    "BE to BE, paid in part and rounded": _paid_and_rounded,
    "BE to BE, another electronic address": _with_address,
    "BE to BE, VAT number only": lambda: one(1500, to=BE._replace(company_number=None)),
    "BE to BE, company outside VAT": lambda: one(1500, to=BE._replace(vat_number=None)),
    "BE small business": lambda: one(10000, 333, sold_by=ATH_SMALL),
    "BE small business, credit note": lambda: _noted(10000, sold_by=ATH_SMALL),
    "BE association": lambda: one(10000, sold_by=ATH_CLUB),
    "BE association, credit note": lambda: _noted(10000, sold_by=ATH_CLUB),
    "BE to a private person": lambda: one(2500, to=PRIVATE, includes_vat=True),
    "BE to FR, reverse charge": lambda: one(10000, to=FR, place="GENERAL_B2B"),
    "BE to FR, reverse charge, credit note": lambda: _noted(10000, to=FR, place="GENERAL_B2B"),
    "BE to FR, taxed where the room is": lambda: one(10000, to=FR),
    "BE to NL, reverse charge": lambda: one(10000, to=DUTCH, place="GENERAL_B2B", locale="nl"),
    "BE to DE, reverse charge and Belgian VAT": lambda: invoices(
        supply(900, sold_by=ATH, to=GERMAN, place="GENERAL_B2B"), supply(800, sold_by=ATH, to=GERMAN),
        sold_by=ATH, to=GERMAN, locale="de",
    )[0],
    "BE to GB, outside the Union": lambda: one(10000, to=BRITISH, place="GENERAL_B2B", locale="en"),
    "FR to FR, one line at 20 %": lambda: one(10000, sold_by=NANTES, to=FR),
    "FR to FR, prices with VAT in them": lambda: one(999, 1001, 3333, sold_by=NANTES, to=FR, includes_vat=True),
    "FR to FR, at 10 and 20 %": lambda: _one_of({100: [1055], 200: [9999]}, sold_by=NANTES, to=FR),
    "FR to FR, an order number and a SIRET": lambda: one(
        5000, sold_by=NANTES, to=FR._replace(purchase_order="BC-17", company_number=f"{FR.company_number}00011")
    ),
    "FR to FR, credit note": lambda: _noted(10000, 2500, sold_by=NANTES, to=FR),
    "FR to FR, credit note of a part, to the cent": lambda: _part_noted(NANTES, FR),
    "FR to FR, deposit": lambda: _deposit(NANTES, FR),
    "FR to FR, self-billed": lambda: _self_billed(one(4000, sold_by=NANTES, to=FR)),
    "FR to FR, self-billed credit note": lambda: _self_billed(_noted(4000, sold_by=NANTES, to=FR)),
    "FR to FR, long names": lambda: _long(NANTES, FR),
    "FR to FR, 200 lines": lambda: _many(200, NANTES, FR),
    "FR to FR, bare office": lambda: one(50000, sold_by=NANTES, to=FR, letting=BARE_BE),
    "FR small business": lambda: one(10000, sold_by=NANTES_SMALL, to=FR),
    "FR small business without a VAT number": lambda: one(
        10000, sold_by=NANTES_SMALL._replace(vat_number=None), to=FR
    ),
    "FR association": lambda: one(10000, sold_by=NANTES_CLUB, to=FR),
    "FR association, credit note": lambda: _noted(10000, sold_by=NANTES_CLUB, to=FR),
    "FR Réunion at 8.5 %": lambda: one(10000, sold_by=REUNION, to=FR),
    "FR to BE, reverse charge": lambda: one(10000, sold_by=NANTES, to=BE, place="GENERAL_B2B"),
    "FR to BE, taxed where the room is": lambda: one(10000, sold_by=NANTES, to=BE, includes_vat=True),
    "FR to DE, reverse charge": lambda: one(10000, sold_by=NANTES, to=GERMAN, place="GENERAL_B2B", locale="de"),
}  # fmt: skip
