"""Parties and charges as rows: no rule is asked, nothing is posted."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.ids import new_id
from app.network.parties.models import Party
from tests.builders import saved

_numbers = itertools.count(1)

MARCH = date(2026, 3, 1)
APRIL = date(2026, 4, 1)
VAT_BE = {
    "permille": 210, "category": "S", "ground": "Code de la TVA, art. 2 et 18", "mention": None, "includes_vat": False,
}  # fmt: skip


def a_party(session: Session, **values: Any) -> Party:
    return saved(session, Party(**{"name": f"Party {next(_numbers)}", "country": "BE", **values}))


def a_charge(session: Session, *, operator_id: int, party: Party, net: int = 10000, **values: Any) -> Charge:
    """EUR 100 of something, without VAT of 21 %, on 2 March 2026."""
    vat = values.pop("vat_cents", (net * 21 + 50) // 100)
    charge = {
        "operator_id": operator_id, "party_id": party.id, "kind": "manual", "source": f"manual:{new_id()}",
        "service_from": date(2026, 3, 2), "service_until": date(2026, 3, 2), "quantity_milli": 1000, "unit": "piece",
        "currency": "EUR", "net_cents": net, "vat_cents": vat, "gross_cents": net + vat, "vat_permille": 210,
        "vat_category": "S", "vat_ground": "Code de la TVA, art. 2 et 18", "includes_vat": False, "month": MARCH,
    }  # fmt: skip
    return saved(session, Charge(**{**charge, **values}))
