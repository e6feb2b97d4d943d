"""Documents of every sort that Passerelle writes, made by the functions that write them: no database is needed for it.

Charges are priced by app.vat, sorted into documents by app.billing.invoices.drafting, and written by its snapshot.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from app.billing.invoices.communications import communication
from app.billing.invoices.drafting import Draft, Open, draft, totals
from app.billing.invoices.numbering import series_of
from app.billing.invoices.snapshot import Buyer, Corrected, Place, Seller, content, placed
from app.demo.numbers import legal_numbers
from app.vat.decide import Decision, decide, price_with_vat
from app.vat.lettings import Letting

ISSUED, DUE, SUPPLIED = date(2026, 10, 1), date(2026, 10, 31), date(2026, 9, 15)
_ids = itertools.count(1)


def uid(n: int) -> UUID:
    return UUID(int=0x01890A5D_AC96_774B_BCCE_000000000000 + n)


def seller(country: str, *, regime: str = "standard", n: int = 41, **said: Any) -> Seller:
    numbers = legal_numbers(country, n)
    towns = {"BE": ("Rue du Moulin 1", "7800", "Ath"), "FR": ("3 rue de l’Île", "44000", "Nantes")}
    street, postcode, town = towns[country]
    vat = numbers.vat_number if regime != "association" else None
    given = {
        "id": str(uid(1)), "name": f"Coopérative de {town}", "street": street, "postcode": postcode, "town": town,
        "country": country, "company_number": numbers.company_number, "vat_number": vat, "iban": numbers.iban,
        "regime": regime,
    }  # fmt: skip
    return Seller(**{**given, **said})


def buyer(country: str, *, business: bool = True, n: int = 42, **said: Any) -> Buyer:
    """A customer; of other countries than these two a business has a VAT number of its register's form."""
    company, vat = None, None
    if business and country in ("BE", "FR"):
        numbers = legal_numbers(country, n)
        company, vat = numbers.company_number, numbers.vat_number
    elif business:
        vat = FOREIGN_VAT.get(country)
    given = {
        "id": str(uid(2)), "name": "Atelier Étienne & Straße <Żółć>", "street": "Grand-Place 1", "postcode": "7800",
        "town": "Ath", "country": country, "is_business": business, "company_number": company, "vat_number": vat,
        "purchase_order": None,
    }  # fmt: skip
    return Buyer(**{**given, **said})


FOREIGN_VAT = {"NL": "NL000099998B57", "DE": "DE136695976", "LU": "LU10000356", "GB": "GB000000034"}
ATH, NANTES = seller("BE"), seller("FR")


def supply(
    cents: int,
    *,
    sold_by: Seller,
    to: Buyer,
    includes_vat: bool = False,
    place: str = "IMMOVABLE",
    rate: int | None = None,
    letting: Letting | None = None,
    postcode: str = "",
    **said: Any,
) -> Open:
    """A charge at the VAT that the law has for it; `rate` instead is another standard rate, in permille."""
    if rate is None:
        decision = decide(
            country=sold_by.country, regime=sold_by.regime, place_of_supply=place, day=SUPPLIED,
            customer_country=to.country, customer_is_business=to.is_business, letting=letting,
            postcode=postcode or sold_by.postcode,
        )  # fmt: skip
    else:
        decision = Decision(rate, "S", "another rate")
    sign = -1 if cents < 0 else 1
    amounts = price_with_vat(abs(cents), includes_vat, decision)
    number = next(_ids)
    given = {
        "id": number, "uid": uid(1000 + number), "party_id": 7, "kind": "manual", "space": "La Place", "person": None,
        "timezone": "Europe/Brussels", "plan": None, "service_from": SUPPLIED, "service_until": SUPPLIED,
        "facts": {"text": "Salle bleue"}, "quantity_milli": 1000, "unit": "piece", "currency": "EUR",
        "net_cents": sign * amounts.net, "vat_cents": sign * amounts.vat, "gross_cents": sign * amounts.gross,
        "vat_permille": decision.rate_permille, "vat_category": decision.category, "vat_ground": decision.ground,
        "vat_mention": decision.mention_code, "includes_vat": includes_vat, "late": False, "earned": True,
        "root_id": number, "root_uid": uid(1000 + number), "root_invoice_id": None,
    }  # fmt: skip
    return Open(**{**given, **said})


def written(
    each: Draft, *, sold_by: Seller, to: Buyer, sequence: int = 1, corrected: Corrected | None = None,
    standing: Sequence[Open] = (), locale: str = "fr", issued: date = ISSUED,
) -> dict[str, Any]:  # fmt: skip
    series = series_of(each.kind, issued)
    number = f"{sold_by.town[:3].upper()}-{series}-{sequence:06d}"
    whole = content(
        each, totals(each, [charge.item for charge in standing]), uid=uid(sequence), locale=locale, seller=sold_by,
        buyer=to, day=issued, terms_days=30, corrected=corrected,
    )  # fmt: skip
    told = communication(country=sold_by.country, series=series, sequence=sequence, number=number)
    return placed(whole, Place(number, series, sequence, issued, DUE, told, "0" * 64))


def invoices(
    *charges: Open, sold_by: Seller, to: Buyer, purpose: str = "monthly", locale: str = "fr"
) -> list[dict[str, Any]]:
    """The documents that these charges make."""
    drafted = draft(charges, purpose=purpose)
    assert drafted.documents
    return [written(each, sold_by=sold_by, to=to, sequence=next(_ids), locale=locale) for each in drafted.documents]


def credit_note(
    charges: Sequence[Open], *, sold_by: Seller, to: Buyer, of: Sequence[Open] | None = None, locale: str = "fr",
    **whole: Any,
) -> dict[str, Any]:  # fmt: skip
    """A credit note of an invoice of `of` (default: these charges) that takes back all of `charges`."""
    back = [
        charge._replace(
            id=next(_ids), net_cents=-charge.net_cents, vat_cents=-charge.vat_cents, gross_cents=-charge.gross_cents,
            root_invoice_id=9, left_cents=0,
        )
        for charge in charges
    ]  # fmt: skip
    (each,) = draft(back, purpose="monthly").documents
    standing = list(of or charges)
    corrected = Corrected(str(uid(9)), "ATH-I2026-000009", "2026-09-01")
    return written(
        each, sold_by=sold_by, to=to, corrected=corrected, standing=standing, locale=locale, sequence=next(_ids)
    )  # fmt: skip
