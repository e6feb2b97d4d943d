"""Whose bookings are suspended for an overdue invoice, and that they are for as long as it is, and no longer."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.billing.dunning import overdue as reading
from app.billing.dunning.models import DunningAct
from app.billing.dunning.overdue import Overdue
from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.network import suspensions
from app.network.memberships.models import Team, TeamSeat


def suspend_for(session: Session, operator_id: int, invoice: Overdue, *, day: date, now: datetime) -> None:
    """Suspend whoever books on the account of an invoice's party; again where it had ended."""
    who = bookers(session, invoice.party_id, invoice.member_id, day=day)
    suspensions.suspend(session, operator_id=operator_id, members=who, source=source_of(invoice.uid), now=now)


def uphold(session: Session, operator_id: int, *, day: date, now: datetime) -> None:
    """What a step suspended is suspended while its invoice is overdue and nothing stops it: also after a stop that was
    lifted, or a payment that went back."""
    acts = select(DunningAct.invoice_id).where(*_suspending(operator_id))
    taken = set(session.scalars(acts))
    if not taken:
        return
    stopped = reading.stops(session, operator_id, day=day)
    for invoice in reading.overdue(session, operator_id, day=day):
        if invoice.id in taken and not stopped.hold(invoice):
            suspend_for(session, operator_id, invoice, day=day, now=now)


def end_of_what_is_paid(session: Session, operator_id: int, party_id: int, *, now: datetime) -> int:
    """End a party's suspensions for invoices of which nothing is open any more; returns how many ended.

    Called with every payment that is allocated: whoever pays may book again at once.
    """
    invoices = _suspended(session, operator_id, Invoice.party_id == party_id)
    settled = settled_cents(session, invoices)
    paid = {source_of(each.uid) for each in invoices if settled[each.id] >= each.gross_cents}
    return suspensions.lift(session, operator_id=operator_id, sources=paid, now=now)


def end_while_stopped(
    session: Session, operator_id: int, *, party_id: int | None, invoice_id: int | None, now: datetime
) -> None:
    """End the suspensions of everybody, of one party, or for one invoice."""
    wanted = [
        criterion
        for criterion, named in ((Invoice.party_id == party_id, party_id), (Invoice.id == invoice_id, invoice_id))
        if named is not None
    ]
    sources = {source_of(each.uid) for each in _suspended(session, operator_id, *wanted)}
    suspensions.lift(session, operator_id=operator_id, sources=sources, now=now)


def source_of(invoice_uid: UUID) -> str:
    """What a suspension is known by."""
    return f"invoice:{invoice_uid}"


def bookers(session: Session, party_id: int, member_id: int | None, *, day: date) -> set[int]:
    """Who books on a party's account: its member, and who has a seat in its teams. An employer's people book nothing
    on its account, so nobody is suspended for it."""
    found = {member_id} if member_id is not None else set()
    seats = select(TeamSeat.member_id).join(Team, Team.id == TeamSeat.team_id).where(Team.party_id == party_id)
    seated = seats.where(TeamSeat.from_day <= day, or_(TeamSeat.until_day.is_(None), TeamSeat.until_day >= day))
    answering = select(Team.member_id).where(Team.party_id == party_id)
    return found | set(session.scalars(seated)) | set(session.scalars(answering))


def _suspended(session: Session, operator_id: int, *wanted: ColumnElement[bool]) -> list[Invoice]:
    """Invoices for which bookings were ever suspended."""
    joined = select(Invoice).join(DunningAct, DunningAct.invoice_id == Invoice.id)
    return list(session.scalars(joined.where(*_suspending(operator_id), *wanted)))


def _suspending(operator_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return DunningAct.operator_id == operator_id, DunningAct.action == "suspension"
