"""Finding statements and lines, each line with what is proposed for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.billing.bank.models import BankLine, BankProposal, BankStatement
from app.billing.invoices.models import Invoice
from app.billing.payments.models import Payment
from app.errors import NotFound
from app.network.parties.models import Party
from app.network.people import Person


class ShownLine(NamedTuple):
    """A line with public ids; `aims` of each proposal are cents by an invoice's public id."""

    line: BankLine
    statement_uid: UUID
    party_uid: UUID | None
    payment_uid: UUID | None
    proposals: list[tuple[BankProposal, UUID | None, list[tuple[UUID, int]]]]


def find_statement(session: Session, statement_id: UUID, *, person: Person) -> BankStatement:
    """Raises NotFound."""
    found = session.scalars(select(BankStatement).where(BankStatement.uid == statement_id)).one_or_none()
    if found is None:
        raise NotFound()
    person.require_books(found.operator_id)
    return found


def counts(session: Session, statement: BankStatement) -> dict[str, tuple[int, int]]:
    """How many of a statement's lines are in each state, and their signed cents."""
    summed = select(BankLine.state, func.count(), func.sum(BankLine.cents)).where(BankLine.statement_id == statement.id)
    return {state: (count, int(cents)) for state, count, cents in session.execute(summed.group_by(BankLine.state))}


def lines_of(
    session: Session, operator_id: int, *, state: str | None, before: int | None, limit: int
) -> Sequence[BankLine]:
    """Lines of an operator, newest first. After `kept_operator`."""
    wanted = select(BankLine).where(BankLine.operator_id == operator_id)
    if state is not None:
        wanted = wanted.where(BankLine.state == state)
    if before is not None:
        wanted = wanted.where(BankLine.id < before)
    return session.scalars(wanted.order_by(BankLine.id.desc()).limit(limit)).all()


def shown(session: Session, lines: Sequence[BankLine]) -> list[ShownLine]:
    by_line: dict[int, list[BankProposal]] = defaultdict(list)
    wanted = select(BankProposal).where(BankProposal.line_id.in_([line.id for line in lines]))
    for proposal in session.scalars(wanted.order_by(BankProposal.certainty.desc(), BankProposal.id)):
        by_line[proposal.line_id].append(proposal)
    every = [proposal for found in by_line.values() for proposal in found]
    parties = _uids(session, Party, {line.party_id for line in lines} | {each.party_id for each in every})
    payments = _uids(session, Payment, {line.payment_id for line in lines})
    statements = _uids(session, BankStatement, {line.statement_id for line in lines})
    invoices = _uids(session, Invoice, {int(aim[0]) for proposal in every for aim in proposal.aims})
    return [
        ShownLine(
            line,
            statements[line.statement_id],
            parties.get(line.party_id or 0),
            payments.get(line.payment_id or 0),
            [
                (each, parties.get(each.party_id), [(invoices[int(key)], int(cents)) for key, cents in each.aims])
                for each in by_line[line.id]
            ],
        )
        for line in lines
    ]


def _uids(
    session: Session, kind: type[Party] | type[Payment] | type[BankStatement] | type[Invoice], ids: Iterable[int | None]
) -> dict[int, UUID]:
    wanted = [key for key in ids if key is not None]
    if not wanted:
        return {}
    return {row.id: row.uid for row in session.execute(select(kind.id, kind.uid).where(kind.id.in_(wanted)))}
