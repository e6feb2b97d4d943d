"""Money that came by itself: a transfer, a debit that the bank collected, cash, a card on the desk's own terminal.

It is there, so its payment is settled from the first row on: posted, given to invoices, and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert as insert_into
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.ledger.posting import post
from app.billing.months import HOME_ZONE, Books, hold_books
from app.billing.payments import posting, telling
from app.billing.payments.allocating import allocate_payment
from app.billing.payments.models import Payment, PaymentAim
from app.errors import Invalid, Problem
from app.events.outbox import insert_event
from app.ids import new_id
from app.network.models import Operator, Space
from app.network.parties.models import Party

RECEIVED = ("transfer", "debit", "cash", "terminal")


class ReceivedOtherwise(Problem):
    """Its source was received before, with other content: a fault of whoever tells, never to be passed over."""

    code = "received_otherwise"
    status = 409
    title = "This was received before, with another amount or from somebody else."


def receive(
    session: Session,
    *,
    operator_id: int,
    party_id: int,
    kind: str,
    provider: str,
    cents: int,
    currency: str,
    aims: Mapping[int, int],
    source: str,
    day: date,
    now: datetime,
) -> Payment:
    """Write down money that is there: `cents` from a party to an operator on `day`, meant for `aims` (cents by
    invoice) or for whatever is open. The same source once more is the same payment.

    Posted on `day`, or today where that month is closed. Raises Invalid for what cannot have come, ReceivedOtherwise.
    """
    _check(kind, cents, aims)
    books = hold_books(session, operator_id)
    values = {
        "uid": new_id(), "operator_id": operator_id, "party_id": party_id, "source": source, "provider": provider,
        "kind": kind, "amount_cents": cents, "currency": currency, "state": "settled", "mode": "received",
        "settled_cents": cents, "requested_at": now, "settled_at": now,
    }  # fmt: skip
    made = insert(Payment).values(values).on_conflict_do_nothing(index_elements=["source"]).returning(Payment)
    payment = session.scalars(made).one_or_none()
    if payment is None:
        return _known(session, values)
    if aims:
        rows = [{"payment_id": payment.id, "invoice_id": key, "cents": aims[key]} for key in sorted(aims)]
        session.execute(insert_into(PaymentAim), rows)
    _post(session, payment, books, day, now)
    allocate_payment(session, payment, now=now)
    _tell(session, payment, now)
    return payment


def _check(kind: str, cents: int, aims: Mapping[int, int]) -> None:
    if kind not in RECEIVED:
        raise Invalid.field("kind", f"must be one of {', '.join(RECEIVED)}")
    if cents <= 0 or any(part <= 0 for part in aims.values()):
        raise Invalid.field("amount_cents", "must be at least a cent")


def _known(session: Session, values: Mapping[str, object]) -> Payment:
    """What was received under that source; raises ReceivedOtherwise when that was something else."""
    found = session.scalars(select(Payment).where(Payment.source == values["source"])).one()
    if any(getattr(found, name) != values[name] for name in ("operator_id", "party_id", "settled_cents", "currency")):
        raise ReceivedOtherwise(payment_id=str(found.uid), source=found.source)
    return found


def _post(session: Session, payment: Payment, books: Books, day: date, now: datetime) -> None:
    today = now.astimezone(_zone(session, payment.operator_id)).date()
    money = posting.Money(
        uid=payment.uid,
        operator_id=payment.operator_id,
        party_id=payment.party_id,
        kind=payment.kind,
        currency=payment.currency,
        day=books.posting_day(min(day, today), today=today),
    )
    post(session, [posting.settled(money, gross_cents=payment.settled_cents, fee_cents=0)], now=now)


def _zone(session: Session, operator_id: int) -> ZoneInfo:
    """That of the operator's first space."""
    first = select(Space.timezone).where(Space.operator_id == operator_id).order_by(Space.id).limit(1)
    return ZoneInfo(session.scalar(first) or HOME_ZONE)


def _tell(session: Session, payment: Payment, now: datetime) -> None:
    fact = telling.settled(
        payment=payment.uid,
        operator=_uid(session, Operator, payment.operator_id),
        party=_uid(session, Party, payment.party_id),
        kind=payment.kind,
        cents=payment.settled_cents,
        currency=payment.currency,
    )
    insert_event(session, fact, aggregate_id=payment.uid, seq=1, at=now)


def _uid(session: Session, kind: type[Operator] | type[Party], key: int) -> UUID:
    found: UUID = session.scalars(select(kind.uid).where(kind.id == key)).one()
    return found
