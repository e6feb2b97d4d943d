"""Interest and compensation as charges outside VAT, on an invoice of their own: in the books, and to be paid."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges.models import Charge
from app.billing.charges.places import first_place_of
from app.billing.charges.writing import earn_charges
from app.billing.dunning.proposing import Proposal
from app.billing.invoices.at_once import invoice_at_once
from app.ids import new_id
from app.network.models import Operator

MENTION = "late_payment_outside_vat"


def claim_on_invoice(
    session: Session, operator_id: int, proposal: Proposal, *, act_uid: UUID, day: date, now: datetime
) -> None:
    """Charge what is claimed, earned today, and invoice it at once."""
    place = first_place_of(session, session.get_one(Operator, operator_id))
    month, late = months.hold_books(session, operator_id).month_for(day)
    shared = {"operator_id": operator_id, "currency": place.currency, "month": month, "late": late, "created_at": now}
    rows = [{**_charge(proposal, kind, cents, act_uid, day), **shared} for kind, cents in _parts(proposal) if cents]
    session.execute(insert(Charge), rows)
    written = select(Charge).where(Charge.uid.in_([row["uid"] for row in rows])).order_by(Charge.id)
    charges = session.scalars(written).all()
    earn_charges(session, charges, day=day, now=now)
    session.expire_all()
    invoice_at_once(
        session, operator_id, proposal.invoice.party_uid, charges=[charge.uid for charge in charges], now=now
    )


def _parts(proposal: Proposal) -> tuple[tuple[str, int], ...]:
    claim = proposal.claim
    return ("late_interest", claim.interest_cents), ("recovery_fee", claim.compensation_cents)


def _charge(proposal: Proposal, kind: str, cents: int, act_uid: UUID, day: date) -> dict[str, Any]:
    invoice, claim = proposal.invoice, proposal.claim
    return {
        "uid": new_id(),
        "space_id": None,
        "party_id": invoice.party_id,
        "member_id": None,
        "kind": kind,
        "subject_uid": None,
        "source": f"dunning:{act_uid}:{kind}",
        "service_from": day,
        "service_until": day,
        "facts": {"text": invoice.number, "open_cents": invoice.open_cents, "ground": claim.ground},
        "quantity_milli": 1000,
        "unit": "piece",
        "net_cents": cents,
        "vat_cents": 0,
        "gross_cents": cents,
        "vat_permille": 0,
        "vat_category": "O",
        "vat_ground": claim.ground or "",
        "vat_mention": MENTION,
        "includes_vat": False,
    }
