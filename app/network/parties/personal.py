"""What parties know about a person: told to them on request, and forgotten with their account.

Documents keep their own copy of the name, and the answers of VIES stay: they prove why a document charged no VAT
(implementing regulation (EU) no 282/2011, art. 18; kept as long as the document, GDPR art. 17(3)(b)).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from app.events.envelope import instant
from app.network import privacy
from app.network.parties.checking import last_answer
from app.network.parties.details import FIELDS
from app.network.parties.models import Party
from app.network.parties.standing import standing

_charges = table("charge", column("party_id"), column("invoice_id"), column("settled_at"))


@privacy.erasure_obstacles
def not_invoiced_yet(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    """What a document is still to name the member for: the next closing of the month makes it."""
    open_charges = (
        select(func.count())
        .select_from(_charges)
        .where(_charges.c.party_id == Party.id, _charges.c.invoice_id.is_(None), _charges.c.settled_at.is_(None))
        .scalar_subquery()
    )
    rows = session.execute(select(Party.uid, open_charges).where(Party.member_id == member_id))
    return [{"kind": "not_invoiced", "id": str(uid), "charges": count} for uid, count in rows if count]


@privacy.eraser
def forget(session: Session, member_id: int, *, now: datetime) -> None:
    """Blank the party that stands for the member; it stays, because documents and the ledger name its id."""
    party = session.scalar(select(Party).where(Party.member_id == member_id))
    if party is None:
        return
    for field in ("name", "street", "postcode", "town"):
        setattr(party, field, "")
    party.company_number = party.vat_number = party.email = party.purchase_order = None
    party.vat_status, party.vat_checked_at = "unchecked", None
    party.changed_at = now
    party.revision += 1


@privacy.exporter("billing_details")
def exported_details(session: Session, member_id: int, *, now: datetime) -> dict[str, Any] | None:
    party = session.scalar(select(Party).where(Party.member_id == member_id))
    if party is None:
        return None
    answered = last_answer(session, party)
    own = {field: getattr(party, field) for field in FIELDS}
    judged = standing(is_business=party.is_business, vat_number=party.vat_number, vat_status=party.vat_status)
    checked_at = instant(answered.asked_at) if answered else None
    return {**own, "vat_status": party.vat_status, "vat_checked_at": checked_at, "treated_as": judged.treated_as}
