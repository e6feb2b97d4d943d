"""Snapshots as documents store them, for tests of what is drawn from them."""

from __future__ import annotations

import json
from typing import Any

from app.demo.numbers import legal_numbers

BE, FR = legal_numbers("BE", 41), legal_numbers("FR", 41)
SELLER = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "Coopérative d’Ath", "street": "Rue du Moulin 1",
    "postcode": "7800", "town": "Ath", "country": "BE", "company_number": BE.company_number,
    "vat_number": BE.vat_number, "iban": BE.iban, "regime": "standard",
}  # fmt: skip
BUYER = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8058", "name": "Żółć & Straße Ñandú", "street": "Chaussée de Mons 12",
    "postcode": "7800", "town": "Ath", "country": "BE", "is_business": False, "company_number": None,
    "vat_number": None, "purchase_order": None,
}  # fmt: skip


def line(no: int = 1, **said: Any) -> dict[str, Any]:
    given = {
        "no": no, "charge_id": f"01890a5d-ac96-774b-bcce-{no:012d}", "kind": "booking", "space": "La Place",
        "person": "Ann Example", "text": "Salle bleue, 2 mars 2026, 09:00–12:30", "service_from": "2026-03-02",
        "service_until": "2026-03-02", "quantity_milli": 3500, "unit": "hour", "net_cents": 8750,
        "vat": {"category": "S", "permille": 210}, "corrects": None, "late": False,
    }  # fmt: skip
    return {**given, **said}


def content(**said: Any) -> dict[str, Any]:
    """An invoice of one line at 21 %, unless said otherwise; totals and taxes follow the lines unless given."""
    lines = said.pop("lines", [line()])
    net = sum(each["net_cents"] for each in lines)
    vat = (net * 21 + 50) // 100
    given = {
        "format": "passerelle.document/1", "id": "01890a5d-ac96-774b-bcce-b302099a8059", "kind": "invoice",
        "purpose": "monthly", "number": "ATH-2026-000123", "series": "ATH-2026", "sequence": 123,
        "issued_on": "2026-04-01", "due_on": "2026-05-01", "period": {"from": "2026-03-01", "until": "2026-03-31"},
        "currency": "EUR", "locale": "fr", "seller": SELLER, "buyer": BUYER, "lines": lines,
        "taxes": [{"category": "S", "permille": 210, "net_cents": net, "vat_cents": vat,
                   "ground": "Code de la TVA, art. 1er", "mention": None}],
        "totals": {"net_cents": net, "vat_cents": vat, "gross_cents": net + vat, "due_cents": net + vat},
        "mentions": [{"code": "late_payment", "text": "Tout retard de paiement porte intérêt."}],
        "payment": {"iban": BE.iban, "communication": "+++090/9337/55493+++", "terms_days": 30},
        "corrects": None, "previous_hash": "0" * 64,
    }  # fmt: skip
    return {**given, **said}


def snapshot(**said: Any) -> str:
    return json.dumps(content(**said), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
