"""A person decides about a line: it pays these invoices, it is what was proposed, or it is nobody's payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.billing.bank.models import BankLine, BankProposal
from app.billing.invoices.models import Invoice
from app.billing.months import hold_books
from app.billing.payments.receiving import receive
from app.errors import Invalid, NotFound, WrongState
from app.network.people import Person

TO_DECIDE = ("open", "proposed")


def find_line(session: Session, line_id: UUID, *, person: Person) -> BankLine:
    """A line of an operator whose books the person keeps. Raises NotFound."""
    line = session.scalars(select(BankLine).where(BankLine.uid == line_id)).one_or_none()
    if line is None:
        raise NotFound()
    person.require_books(line.operator_id)
    return line


def match_invoices(
    session: Session, line: BankLine, wanted: Mapping[UUID, int], *, person: Person, now: datetime
) -> BankLine:
    """The line pays so many cents of these invoices; what it leaves is the party's credit, with a task for a person.

    Raises Invalid for invoices of several parties or of another operator, or more than came; WrongState.
    """
    found = session.scalars(
        select(Invoice).where(
            Invoice.uid.in_(list(wanted)), Invoice.operator_id == line.operator_id, Invoice.corrects_id.is_(None)
        )
    ).all()
    if len(found) != len(wanted):
        raise Invalid.field("invoices", "name invoices of the line's own operator, each once")
    parties = {invoice.party_id for invoice in found}
    if len(parties) != 1:
        raise Invalid.field("invoices", "name invoices of one customer; the rest stays their credit")
    aims = {invoice.id: wanted[invoice.uid] for invoice in found}
    return _match(session, line, parties.pop(), aims, rule="by_hand", person=person, now=now)


def accept(session: Session, line: BankLine, proposal_id: UUID, *, person: Person, now: datetime) -> BankLine:
    """The line is what was proposed. Raises NotFound, WrongState."""
    wanted = select(BankProposal).where(BankProposal.uid == proposal_id, BankProposal.line_id == line.id)
    proposal = session.scalars(wanted).one_or_none()
    if proposal is None:
        raise NotFound()
    aims = {int(invoice_id): int(cents) for invoice_id, cents in proposal.aims}
    matched = _match(session, line, proposal.party_id, aims, rule="proposal", person=person, now=now)
    proposal.state = "accepted"
    session.flush()
    return matched


def dismiss(session: Session, line: BankLine, reason: str, *, person: Person, now: datetime) -> BankLine:
    """Nothing here is paid by it: the reason stays with it. The same once more changes nothing. Raises WrongState."""
    line = _held(session, line)
    if line.state == "dismissed" and line.note == reason:
        return line
    _check_open(line)
    _reject_others(session, line)
    line.state, line.note, line.decided_at, line.decided_by_id = "dismissed", reason, now, person.member_id
    session.flush()
    return line


def _match(
    session: Session, line: BankLine, party_id: int, aims: Mapping[int, int], *, rule: str, person: Person,
    now: datetime,
) -> BankLine:  # fmt: skip
    hold_books(session, line.operator_id)
    line = _held(session, line)
    _check_open(line)
    if line.cents < 0:
        raise Invalid.field("invoices", "money that went out pays no invoice: dismiss it with a reason")
    if sum(aims.values()) > line.cents:
        raise Invalid.field("invoices", f"{line.cents} cents came: give no more than that")
    payment = receive(
        session, operator_id=line.operator_id, party_id=party_id, kind="transfer", provider="bank", cents=line.cents,
        currency=line.currency, aims=aims, source=f"bank:{line.uid}", day=line.booked_on, now=now,
    )  # fmt: skip
    _reject_others(session, line)
    line.state, line.rule, line.reasons, line.party_id = "matched", rule, [rule], party_id
    line.payment_id, line.decided_at, line.decided_by_id = payment.id, now, person.member_id
    session.flush()
    return line


def _held(session: Session, line: BankLine) -> BankLine:
    mine = select(BankLine).where(BankLine.id == line.id).with_for_update(key_share=True)
    return session.scalars(mine.execution_options(populate_existing=True)).one()


def _check_open(line: BankLine) -> None:
    if line.state not in TO_DECIDE:
        raise WrongState(state=line.state, remedy="it is decided already; read it again")


def _reject_others(session: Session, line: BankLine) -> None:
    session.execute(
        update(BankProposal)
        .where(BankProposal.line_id == line.id, BankProposal.state == "open")
        .values(state="rejected")
        .execution_options(synchronize_session="fetch")
    )
