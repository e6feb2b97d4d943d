"""Money taken at the desk: cash, which goes into the space's drawer, or a card on the desk's own terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.months import hold_books
from app.billing.payments import standing
from app.billing.payments.drawers import drawer_of_today, put_in, space_at
from app.billing.payments.models import Payment
from app.billing.payments.receiving import receive
from app.billing.payments.standing import Due
from app.errors import Invalid, NotFound, WrongState
from app.ids import new_id
from app.network.models import Operator
from app.network.parties.models import Party
from app.network.people import Person

MOST_CENTS = 100_000_000  # a million euros: more is a slip of the hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was taken: for these invoices of one customer, or, without any, from `party_id` for whatever is open.

    `space_id` may be left out where the operator has one space.
    """

    kind: str
    amount_cents: int
    invoice_ids: Sequence[UUID] = ()
    party_id: UUID | None = None
    space_id: UUID | None = None


def take_receipt(session: Session, operator: Operator, receipt: Receipt, *, person: Person, now: datetime) -> Payment:
    """Write down what was taken at the desk today. The caller keeps the operator's books.

    Raises Invalid, NotFound, WrongState where nothing is left of the invoices, DrawerCounted for cash after the count.
    """
    if not 0 < receipt.amount_cents <= MOST_CENTS:
        raise Invalid.field("amount_cents", f"must be 1 to {MOST_CENTS}")
    space = space_at(session, operator, receipt.space_id)
    drawer = drawer_of_today(session, operator, space, person=person, now=now) if receipt.kind == "cash" else None
    hold_books(session, operator.id)
    dues = _dues(session, operator, receipt)
    party_id = dues[0].party_id if dues else _party(session, receipt)
    payment = receive(
        session, operator_id=operator.id, party_id=party_id, kind=receipt.kind, provider="desk",
        cents=receipt.amount_cents, currency=operator.currency, aims=_aims(dues, receipt.amount_cents),
        source=f"desk:{new_id()}", day=now.astimezone(ZoneInfo(space.timezone)).date(), now=now,
    )  # fmt: skip
    if drawer is not None:
        put_in(session, drawer, receipt.amount_cents, payment_id=payment.id, now=now)
    return payment


def _dues(session: Session, operator: Operator, receipt: Receipt) -> list[Due]:
    """The invoices named, held, as far as something is left of them; first due first."""
    if not receipt.invoice_ids:
        return []
    named = select(Invoice).where(Invoice.uid.in_(receipt.invoice_ids), Invoice.operator_id == operator.id)
    found = session.scalars(named).all()
    if len(found) != len(set(receipt.invoice_ids)):
        raise NotFound()
    if any(invoice.corrects_id is not None for invoice in found):
        raise Invalid.field("invoice_ids", "a credit note is not paid: name invoices")
    if len({invoice.party_id for invoice in found}) > 1:
        raise Invalid.field("invoice_ids", "are of several customers: take a receipt of each")
    left = [due for due in standing.hold_invoices(session, [each.id for each in found]) if due.left_cents]
    if not left:
        raise WrongState(state="paid", remedy="nothing is left to pay; name party_id to take an advance")
    return left


def _party(session: Session, receipt: Receipt) -> int:
    """Raises Invalid unless a customer is named, NotFound for one that the operator has never charged."""
    if receipt.party_id is None:
        raise Invalid.field("party_id", "name who pays: party_id, or the invoice_ids that are paid")
    party_id = session.scalar(select(Party.id).where(Party.uid == receipt.party_id))
    if party_id is None:
        raise NotFound()
    return party_id


def _aims(dues: Sequence[Due], cents: int) -> dict[int, int]:
    """What of the money is meant for each invoice, first due first."""
    aims = {}
    for due in dues:
        if (part := min(cents, due.left_cents)) > 0:
            aims[due.id] = part
            cents -= part
    return aims
