"""Finding payments: mine, or those of an operator whose books one keeps; and what each paid and gave back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.payments.models import Allocation, Dispute, Payment, PaymentMethod, Refund
from app.errors import NotFound
from app.network.models import Operator
from app.network.operators import kept_operator
from app.network.parties.models import Party
from app.network.people import Person


class Paid(NamedTuple):
    """So much of a payment pays so much of an invoice."""

    invoice_uid: UUID
    number: str
    cents: int


class Shown(NamedTuple):
    """A payment, whose it is, what it pays, and what of it went back or is contested."""

    payment: Payment
    operator_uid: UUID
    party_uid: UUID
    pays: tuple[Paid, ...]
    refunds: tuple[Refund, ...]
    disputed_cents: int

    @property
    def refunded_cents(self) -> int:
        """What went back or is on its way."""
        return sum(refund.amount_cents for refund in self.refunds if refund.state != "failed")

    @property
    def credit_cents(self) -> int:
        """What is the party's, and pays nothing yet."""
        given = sum(paid.cents for paid in self.pays)
        return max(0, self.payment.settled_cents - self.refunded_cents - self.disputed_cents - given)


class ShownMethod(NamedTuple):
    """A saved means of payment, for which operator and whose."""

    method: PaymentMethod
    operator_uid: UUID
    party_uid: UUID


def mine(session: Session, person: Person, *, before: int | None, limit: int, **filters: Any) -> Sequence[Payment]:
    """Payments of the person's own parties, or of employers they administer, newest first."""
    own = or_(Party.member_id == person.member_id, Party.employer_id.in_(person.scope.employer_ids))
    return _page(session, Payment.party_id.in_(select(Party.id).where(own)), before=before, limit=limit, **filters)


def of_operator(
    session: Session, person: Person, operator_id: UUID, *, before: int | None, limit: int, **filters: Any
) -> Sequence[Payment]:
    """Payments to an operator, newest first. Raises NotFound, NotAllowed for who does not keep its books."""
    operator = kept_operator(session, operator_id, person=person)
    return _page(session, Payment.operator_id == operator.id, before=before, limit=limit, **filters)


def _page(
    session: Session, whose: Any, *, before: int | None, limit: int, state: str | None = None, kind: str | None = None,
    party: UUID | None = None,
) -> Sequence[Payment]:  # fmt: skip
    wanted = select(Payment).where(whose)
    for column, value in ((Payment.state, state), (Payment.kind, kind)):
        wanted = wanted if value is None else wanted.where(column == value)
    if before is not None:
        wanted = wanted.where(Payment.id < before)
    if party is not None:
        wanted = wanted.where(Payment.party_id.in_(select(Party.id).where(Party.uid == party)))
    return session.scalars(wanted.order_by(Payment.id.desc()).limit(limit)).all()


def find(session: Session, payment_id: UUID) -> Payment:
    """A payment that the session's person may see. Raises NotFound."""
    found = session.scalar(select(Payment).where(Payment.uid == payment_id))
    if found is None:
        raise NotFound()
    return found


def shown(session: Session, payments: Sequence[Payment]) -> list[Shown]:
    ids = [payment.id for payment in payments]
    operators = _uids(session, Operator, {payment.operator_id for payment in payments})
    parties = _uids(session, Party, {payment.party_id for payment in payments})
    pays, refunds, disputed = _pays(session, ids), _refunds(session, ids), _disputed(session, ids)
    return [
        Shown(
            each, operators[each.operator_id], parties[each.party_id], tuple(pays[each.id]), tuple(refunds[each.id]),
            disputed.get(each.id, 0),
        )
        for each in payments
    ]  # fmt: skip


def methods_of(session: Session, person: Person, *, before: int | None, limit: int) -> Sequence[PaymentMethod]:
    """Means that the person saved, or that employers did whom they administer, but revoked ones; newest first."""
    own = or_(Party.member_id == person.member_id, Party.employer_id.in_(person.scope.employer_ids))
    wanted = select(PaymentMethod).where(PaymentMethod.party_id.in_(select(Party.id).where(own)))
    wanted = wanted.where(PaymentMethod.state != "revoked")
    if before is not None:
        wanted = wanted.where(PaymentMethod.id < before)
    return session.scalars(wanted.order_by(PaymentMethod.id.desc()).limit(limit)).all()


def own_method(session: Session, person: Person, method_id: UUID) -> PaymentMethod:
    """One of them, revoked or not, held. Raises NotFound."""
    own = or_(Party.member_id == person.member_id, Party.employer_id.in_(person.scope.employer_ids))
    wanted = select(PaymentMethod).where(PaymentMethod.uid == method_id)
    wanted = wanted.where(PaymentMethod.party_id.in_(select(Party.id).where(own)))
    found = session.scalars(wanted.with_for_update(key_share=True)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def shown_methods(session: Session, methods: Sequence[PaymentMethod]) -> list[ShownMethod]:
    operators = _uids(session, Operator, {method.operator_id for method in methods})
    parties = _uids(session, Party, {method.party_id for method in methods})
    return [ShownMethod(each, operators[each.operator_id], parties[each.party_id]) for each in methods]


def _uids(session: Session, kind: Any, ids: set[int]) -> dict[int, UUID]:
    return {row.id: row.uid for row in session.execute(select(kind.id, kind.uid).where(kind.id.in_(ids)))}


def _pays(session: Session, ids: Sequence[int]) -> dict[int, list[Paid]]:
    sums = (
        select(Allocation.payment_id, Invoice.id, Invoice.uid, Invoice.number, func.sum(Allocation.cents))
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .where(Allocation.payment_id.in_(ids))
        .group_by(Allocation.payment_id, Invoice.id, Invoice.uid, Invoice.number)
        .order_by(Invoice.id)
    )
    found: dict[int, list[Paid]] = defaultdict(list)
    for payment_id, _, uid, number, cents in session.execute(sums):
        if cents:
            found[payment_id].append(Paid(uid, number, int(cents)))
    return found


def _refunds(session: Session, ids: Sequence[int]) -> dict[int, list[Refund]]:
    found: dict[int, list[Refund]] = defaultdict(list)
    for refund in session.scalars(select(Refund).where(Refund.payment_id.in_(ids)).order_by(Refund.id)):
        found[refund.payment_id].append(refund)
    return found


def _disputed(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """What is contested or lost, by payment."""
    of = Dispute.payment_id
    away = select(of, func.sum(Dispute.amount_cents)).where(of.in_(ids), Dispute.state != "won").group_by(of)
    return {key: int(cents) for key, cents in session.execute(away)}
