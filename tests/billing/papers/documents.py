"""Finalised documents in a database, as the papers' worker finds them."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.ids import new_id
from app.network.models import Member, Space
from app.network.parties.models import Party
from tests.billing.papers import samples
from tests.builders import saved

NUMBERS = iter(range(1, 10**6))


def a_party(session: Session, member: Member | None = None, **said: Any) -> Party:
    given = {"name": "Ann Example", "country": "BE", "member_id": member.id if member else None}
    return saved(session, Party(**{**given, **said}))


def a_document(session: Session, space: Space, party: Party, *, snapshot: str | None = None, **said: Any) -> Invoice:
    """An invoice of the operator of `space`, finalised; `said` changes its row, its content is `snapshot`."""
    sequence = next(NUMBERS)
    given: dict[str, Any] = {
        "number": f"ATH-2026-{sequence:06d}", "issued_on": "2026-04-01", "due_on": "2026-05-01", "kind": "monthly"
    } | said  # fmt: skip
    content = samples.content(number=given["number"])
    totals = content["totals"]
    text = snapshot or samples.snapshot(number=given["number"])
    row = {
        "uid": new_id(), "operator_id": space.operator_id, "party_id": party.id, "series": "ATH-2026",
        "sequence": sequence, "period_from": "2026-03-01", "period_until": "2026-03-31", "currency": "EUR",
        "net_cents": totals["net_cents"], "vat_cents": totals["vat_cents"], "gross_cents": totals["gross_cents"],
        "communication": content["payment"]["communication"], "snapshot": text,
        "hash": hashlib.sha256(text.encode()).hexdigest(), "previous_hash": "0" * 64, "run_key": str(new_id()),
        "finalised_at": "2026-04-01T06:00:00Z",
    }  # fmt: skip
    return saved(session, Invoice(**{**row, **given}))
