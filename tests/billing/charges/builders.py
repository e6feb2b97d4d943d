"""Parties and charges as rows: no rule is asked, nothing is posted."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.billing.charges.models import Charge
from app.billing.invoices.models import Invoice
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


def an_invoice(session: Session, *, operator_id: int, party_id: int) -> Invoice:
    """A document that says nothing: for charges to be on one."""
    n = next(_numbers)
    day = date(2026, 3, 31)
    amounts = dict.fromkeys(("net_cents", "vat_cents", "gross_cents"), 0)
    texts = {"communication": "", "snapshot": "{}", "hash": f"{n:064x}", "previous_hash": "0" * 64}
    values = {
        "operator_id": operator_id, "party_id": party_id, "kind": "now", "series": "X-2026", "sequence": n,
        "number": f"X-2026-{n:06d}", "issued_on": day, "due_on": day, "currency": "EUR", "run_key": f"test:{n}",
        "finalised_at": datetime(2026, 3, 31, 12, tzinfo=UTC),
    }  # fmt: skip
    return saved(session, Invoice(**values, **amounts, **texts))
