"""What a mail about an overdue invoice says: what the step was, and what may be claimed if nothing happens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.billing.dunning.fees import Late, claim
from app.billing.dunning.policies import policy_of
from app.billing.invoices import enclosing
from app.billing.invoices.models import Invoice

KINDS = {
    "reminder": "invoice_reminder",
    "formal_notice": "invoice_formal_notice",
    "suspension": "bookings_suspended",
}


def facts(session: Session, invoice: Invoice, told: Mapping[str, Any], *, reminded_on: date) -> dict[str, Any]:
    """Frozen with the event: what it said, and `then_cents`, what may be claimed the day after `pay_by`."""
    content = json.loads(invoice.snapshot)
    terms = policy_of(session, invoice.operator_id).terms
    late = Late(
        country=content["seller"]["country"],
        to_business=content["buyer"]["is_business"],
        due_on=invoice.due_on,
        open_cents=told["open_cents"],
        reminded_on=reminded_on,
    )
    pay_by = date.fromisoformat(told["pay_by"])
    names = ("action", "pay_by", "interest_cents", "compensation_cents")
    return {
        **{name: told[name] for name in names},
        "then_cents": claim(late, terms, day=pay_by + timedelta(days=1)).cents if invoice.kind != "deposit" else 0,
    }


def told(session: Session, document_uid: UUID, *, language: str) -> dict[str, Any] | None:
    """What the mail reads when it is sent; None once nothing is open any more."""
    invoice = enclosing.document(session, document_uid)
    said = enclosing.told(session, invoice, language=language)
    if not said["open_cents"]:
        return None
    seller = json.loads(invoice.snapshot)["seller"]
    return {**said, "issued_on": invoice.issued_on.isoformat(), "company_number": seller["company_number"]}
