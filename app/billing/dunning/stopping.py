"""The button that stops reminders, and the end of a suspension once nothing is overdue any more."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning.acting import source_of
from app.billing.dunning.models import DunningAct, DunningStop
from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.errors import Invalid, NotFound
from app.network import suspensions
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
    _end_suspensions(session, operator.id, party_id=party_id, invoice_id=invoice_id, now=now)
    return row


def lift(session: Session, operator: Operator, stop_uid: UUID, *, now: datetime) -> DunningStop:
    """Let the schedule go on. Repeating it succeeds. Raises NotFound."""
    mine = select(DunningStop).where(DunningStop.uid == stop_uid, DunningStop.operator_id == operator.id)
    row = session.scalars(mine).one_or_none()
    if row is None:
        raise NotFound()
    row.lifted_at = row.lifted_at or now
    return row


def end_of_what_is_paid(session: Session, operator_id: int, party_id: int, *, now: datetime) -> int:
    """End a party's suspensions for invoices of which nothing is open any more; returns how many ended.

    Called with every payment that is allocated: whoever pays may book again at once.
    """
    suspended = (
        select(Invoice)
        .join(DunningAct, DunningAct.invoice_id == Invoice.id)
        .where(Invoice.operator_id == operator_id, Invoice.party_id == party_id, DunningAct.action == "suspension")
    )
    invoices = session.scalars(suspended).all()
    settled = settled_cents(session, invoices)
    paid = {source_of(each.uid) for each in invoices if settled[each.id] >= each.gross_cents}
    return suspensions.lift(session, operator_id=operator_id, sources=paid, now=now)


def _invoice(session: Session, operator: Operator, uid: UUID) -> Invoice:
    found = session.scalar(select(Invoice).where(Invoice.uid == uid, Invoice.operator_id == operator.id))
    if found is None:
        raise NotFound()
    return found


def _end_suspensions(
    session: Session, operator_id: int, *, party_id: int | None, invoice_id: int | None, now: datetime
) -> None:
    acts = (
        select(Invoice.uid)
        .join(DunningAct, DunningAct.invoice_id == Invoice.id)
        .where(DunningAct.operator_id == operator_id, DunningAct.action == "suspension")
    )
    if party_id is not None:
        acts = acts.where(Invoice.party_id == party_id)
    if invoice_id is not None:
        acts = acts.where(Invoice.id == invoice_id)
    suspensions.lift(
        session, operator_id=operator_id, sources={source_of(uid) for uid in session.scalars(acts)}, now=now
    )
