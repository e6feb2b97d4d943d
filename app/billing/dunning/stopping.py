"""The button that stops reminders."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning.models import DunningStop
from app.billing.dunning.policies import hold_policy, today
from app.billing.dunning.suspending import end_while_stopped, uphold
from app.billing.invoices.models import Invoice
from app.errors import Invalid, NotFound
from app.network.models import Operator
from app.network.parties.customers import customer
from app.network.people import Person


def stop(
    session: Session,
    operator: Operator,
    person: Person,
    *,
    party_uid: UUID | None,
    invoice_uid: UUID | None,
    until: date | None,
    reason: str,
    now: datetime,
) -> DunningStop:
    """Remind nobody, not this party, or not of this invoice, until a day or until it is lifted; suspensions end with
    it. Raises Invalid when both are named, NotFound for what is not the operator's."""
    if party_uid is not None and invoice_uid is not None:
        raise Invalid.field("invoice_id", "name a party or an invoice, not both: an invoice has but one party")
    hold_policy(session, operator.id)
    party_id = customer(session, operator, party_uid).id if party_uid else None
    invoice_id = _invoice(session, operator, invoice_uid).id if invoice_uid else None
    row = DunningStop(
        operator_id=operator.id,
        party_id=party_id,
        invoice_id=invoice_id,
        until=until,
        reason=reason,
        stopped_by_id=person.member_id,
        stopped_at=now,
    )
    session.add(row)
    session.flush()
    end_while_stopped(session, operator.id, party_id=party_id, invoice_id=invoice_id, now=now)
    return row


def lift(session: Session, operator: Operator, stop_uid: UUID, *, now: datetime) -> DunningStop:
    """Let the schedule go on; what was suspended is again. Repeating it succeeds. Raises NotFound."""
    mine = select(DunningStop).where(DunningStop.uid == stop_uid, DunningStop.operator_id == operator.id)
    row = session.scalars(mine).one_or_none()
    if row is None:
        raise NotFound()
    if row.lifted_at is None:
        row.lifted_at = now
        session.flush()
        uphold(session, operator.id, day=today(session, operator.id, now=now), now=now)
    return row


def _invoice(session: Session, operator: Operator, uid: UUID) -> Invoice:
    found = session.scalar(select(Invoice).where(Invoice.uid == uid, Invoice.operator_id == operator.id))
    if found is None:
        raise NotFound()
    return found
