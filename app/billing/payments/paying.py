"""A payer who pays: which of their invoices, by which means, and what was asked for already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments import standing
from app.billing.payments.accounts import account_of
from app.billing.payments.methods import save_method
from app.billing.payments.models import Payment, PaymentMethod
from app.billing.payments.requesting import ProviderNotSet, request_payment
from app.billing.payments.transfers import PayByTransfer, described, transfers_for
from app.errors import Invalid, NotAllowed, NotFound, Problem, WrongState
from app.ids import new_id
from app.network.models import Operator
from app.network.parties.models import Party
from app.network.parties.services import ensure_for_member
from app.network.people import Person


class PaymentRunning(Problem):
    """`payment_id` was asked for the same, and is on its way: it settles or fails first."""

    code = "payment_running"
    status = 409
    title = "A payment of this is on its way already."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to pay: what is left of `invoice_ids`, or an advance of `amount_cents` to `operator_id`, for oneself or for
    `party_id`, an employer whose administrator one is."""

    kind: str
    mode: str
    invoice_ids: Sequence[UUID] = ()
    operator_id: UUID | None = None
    amount_cents: int | None = None
    party_id: UUID | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class _Owed:
    operator: Operator
    party_id: int
    invoices: Sequence[Invoice]


def ask_to_pay(session: Session, wish: Wish, *, provider_ready: bool, person: Person, now: datetime) -> Payment:
    """A payment for the person to go on with: what they have begun and left already, or a new one.

    Raises NotFound, Invalid, NotAllowed for what others pay, WrongState where nothing is left, PaymentRunning, and
    PayByTransfer where the operator takes no payments online.
    """
    owed = _owed(session, wish, person, now)
    if not provider_ready:
        raise _by_transfer(session, owed)
    standing.hold_payments(session, [payment.id for payment in _running(session, owed)])
    dues = standing.hold_invoices(session, [invoice.id for invoice in owed.invoices])
    aims = {due.id: due.left_cents for due in dues if due.left_cents}
    if owed.invoices and not aims:
        raise WrongState(state="paid", remedy="nothing is left to pay")
    if aims and (begun := _begun(session, _running(session, owed), wish, aims)) is not None:
        return begun
    try:
        return request_payment(
            session, operator_id=owed.operator.id, party_id=owed.party_id, aims=aims, kind=wish.kind, mode=wish.mode,
            source=f"asked:{new_id()}", cents=None if aims else wish.amount_cents, return_url=wish.return_url, now=now,
        )  # fmt: skip
    except ProviderNotSet as error:
        raise _by_transfer(session, owed) from error


def can_pay_online(session: Session, invoice: Invoice, *, provider_ready: bool, person: Person) -> bool:
    """Whether the operator takes payments online, and the invoice is the person's own to pay."""
    operator = session.get_one(Operator, invoice.operator_id)
    if not provider_ready or account_of(session, operator).provider_mode == "none":
        return False
    return session.scalar(select(Party.id).where(Party.id == invoice.party_id, _own(person))) is not None


def own_payment(session: Session, person: Person, payment_id: UUID) -> Payment:
    """A payment of one's own party. Raises NotFound, also for who only keeps the books: a secret is its payer's."""
    own = select(Party.id).where(_own(person))
    found = session.scalar(select(Payment).where(Payment.uid == payment_id, Payment.party_id.in_(own)))
    if found is None:
        raise NotFound()
    return found


def begin_saving(
    session: Session, *, operator_id: UUID, party_id: UUID | None, kind: str, mode: str, automatic: bool,
    return_url: str | None, provider_ready: bool, person: Person, now: datetime,
) -> PaymentMethod:  # fmt: skip
    """Begin to save a means of payment of the person, or of an employer that they administer, for one operator.

    Raises NotFound, Invalid, ProviderNotSet.
    """
    operator = session.scalar(select(Operator).where(Operator.uid == operator_id))
    if operator is None:
        raise NotFound()
    if not provider_ready:
        raise ProviderNotSet()
    payer = payer_of(session, operator, party_id, person=person, now=now)
    return save_method(
        session, operator_id=operator.id, party_id=payer, kind=kind, mode=mode, automatic=automatic,
        return_url=return_url, now=now,
    )  # fmt: skip


def payer_of(session: Session, operator: Operator, party_uid: UUID | None, *, person: Person, now: datetime) -> int:
    """The party that a person pays for: their own, or one of an employer that they administer. Raises NotFound."""
    if party_uid is None:
        return ensure_for_member(session, person.member_id, country=operator.country, now=now).id
    party_id = session.scalar(select(Party.id).where(Party.uid == party_uid, _own(person)))
    if party_id is None:
        raise NotFound()
    return party_id


def _own(person: Person) -> ColumnElement[bool]:
    return or_(Party.member_id == person.member_id, Party.employer_id.in_(person.scope.employer_ids))


def _owed(session: Session, wish: Wish, person: Person, now: datetime) -> _Owed:
    if bool(wish.invoice_ids) == (wish.amount_cents is not None):
        raise Invalid.field("invoice_ids", "name invoices, or operator_id with amount_cents: one of the two")
    if not wish.invoice_ids:
        operator = session.scalar(select(Operator).where(Operator.uid == wish.operator_id))
        if operator is None:
            raise Invalid.field("operator_id", "say to whom the advance is paid")
        return _Owed(operator, payer_of(session, operator, wish.party_id, person=person, now=now), ())
    invoices = session.scalars(select(Invoice).where(Invoice.uid.in_(wish.invoice_ids)).order_by(Invoice.id)).all()
    if len(invoices) != len(set(wish.invoice_ids)):
        raise NotFound()
    if len({(each.operator_id, each.party_id) for each in invoices}) > 1:
        raise Invalid.field("invoice_ids", "are of several operators or customers: pay them apart")
    if any(each.corrects_id is not None for each in invoices):
        raise Invalid.field("invoice_ids", "a credit note is not paid: name invoices")
    party_id = session.scalar(select(Party.id).where(Party.id == invoices[0].party_id, _own(person)))
    if party_id is None:
        raise NotAllowed(needed="payer", remedy="only who it is addressed to pays it here; money taken is a receipt")
    return _Owed(session.get_one(Operator, invoices[0].operator_id), party_id, invoices)


def _running(session: Session, owed: _Owed) -> Sequence[Payment]:
    """Payments of the party to the operator that have not ended, oldest first."""
    whose = (Payment.operator_id == owed.operator.id, Payment.party_id == owed.party_id)
    open_ones = select(Payment).where(*whose, Payment.state.in_(("requested", "action_needed", "unknown")))
    return session.scalars(open_ones.order_by(Payment.id).execution_options(populate_existing=True)).all()


def _begun(session: Session, running: Sequence[Payment], wish: Wish, aims: Mapping[int, int]) -> Payment | None:
    """What was begun for the very same and waits for the payer. Raises PaymentRunning for what is on its way."""
    for payment in running:
        aimed = standing.aims_of(session, payment.id)
        if aimed == aims and (payment.kind, payment.mode) == (wish.kind, wish.mode):
            return payment
        if aimed.keys() & aims.keys() and payment.state != "action_needed":
            raise PaymentRunning(payment_id=str(payment.uid), state=payment.state)
    return None


def _by_transfer(session: Session, owed: _Owed) -> PayByTransfer:
    found = transfers_for(session, owed.operator, owed.invoices)
    return PayByTransfer(transfers=[described(transfer) for transfer in found])
