"""A month of an operator's books at a glance: what waits for a document, what was issued, and the sums of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.billing.charges.models import BillingMonth, Charge
from app.billing.invoices.models import Invoice
from app.billing.months import month_after
from app.network.models import Operator
from app.network.parties.models import Party

MOST_ROWS = 500


class Sums(NamedTuple):
    """Cents; those of credit notes are counted back."""

    net_cents: int = 0
    vat_cents: int = 0
    gross_cents: int = 0


class Waiting(NamedTuple):
    """What a customer owes that is on no document yet."""

    customer: str
    charges: int
    net_cents: int
    vat_cents: int
    gross_cents: int


@dataclass(frozen=True, slots=True)
class Month:
    """`closed`: nothing enters this month any more. Lists are cut at MOST_ROWS; sums and counts never are."""

    operator: Operator
    month: date
    closed: bool
    waiting: Sequence[Waiting]
    waiting_sums: Sums
    waiting_count: int
    issued: Sequence[Invoice]
    issued_sums: Sums
    issued_count: int

    @property
    def before(self) -> date:
        return (self.month - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        return month_after(self.month)


def month_of_books(session: Session, operator: Operator, month: date) -> Month:
    """The month that begins on `month`, of an operator whose books the session's person keeps."""
    waits = _waits(operator, month)
    issued = (
        Invoice.operator_id == operator.id, Invoice.issued_on >= month, Invoice.issued_on < month_after(month)
    )  # fmt: skip
    closed = session.scalar(select(BillingMonth.closed).where(BillingMonth.operator_id == operator.id))
    waiting_sums, waiting_count = _sums(session, Charge, waits, sign=1)
    issued_sums, issued_count = _issued(session, issued)
    return Month(
        operator=operator,
        month=month,
        closed=closed is not None and month <= closed,
        waiting=_waiting(session, waits),
        waiting_sums=waiting_sums,
        waiting_count=waiting_count,
        issued=session.scalars(select(Invoice).where(*issued).order_by(Invoice.id.desc()).limit(MOST_ROWS)).all(),
        issued_sums=issued_sums,
        issued_count=issued_count,
    )


def _waits(operator: Operator, month: date) -> tuple[Any, ...]:
    """Charges that a closing of the month would put on documents."""
    no_document = (Charge.invoice_id.is_(None), Charge.settled_at.is_(None))
    return (Charge.operator_id == operator.id, Charge.month <= month, *no_document)


def _waiting(session: Session, waits: tuple[Any, ...]) -> list[Waiting]:
    """By customer, what is most first."""
    columns = (Charge.net_cents, Charge.vat_cents, Charge.gross_cents)
    grouped = (
        select(Party.name, func.count(Charge.id), *(func.sum(column) for column in columns))
        .join(Party, Party.id == Charge.party_id)
        .where(*waits)
        .group_by(Party.id, Party.name)
        .order_by(func.sum(Charge.gross_cents).desc(), Party.id)
        .limit(MOST_ROWS)
    )
    return [Waiting(name, count, *map(int, sums)) for name, count, *sums in session.execute(grouped)]


def _issued(session: Session, issued: tuple[Any, ...]) -> tuple[Sums, int]:
    invoices, invoiced = _sums(session, Invoice, (*issued, Invoice.corrects_id.is_(None)), sign=1)
    credits, credited = _sums(session, Invoice, (*issued, Invoice.corrects_id.is_not(None)), sign=-1)
    return Sums(*(sum(pair) for pair in zip(invoices, credits, strict=True))), invoiced + credited


def _sums(session: Session, entity: Any, where: tuple[Any, ...], *, sign: int) -> tuple[Sums, int]:
    columns = (entity.net_cents, entity.vat_cents, entity.gross_cents)
    asked = select(func.count(entity.id), *(func.coalesce(func.sum(column), 0) for column in columns)).where(*where)
    count, *sums = session.execute(asked).one()
    return Sums(*(sign * int(cents) for cents in sums)), count
