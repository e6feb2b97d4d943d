"""On which day the books take what happens to a payment now: the local day of the operator's first space."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.months import HOME_ZONE, Books
from app.billing.payments.models import Payment
from app.billing.payments.posting import Money
from app.network.models import Space


def money_of(session: Session, payment: Payment, books: Books, *, now: datetime) -> Money:
    """What a posting needs of a payment; `books` are the operator's, held since before the payment's row was."""
    today = now.astimezone(_zone(session, payment.operator_id)).date()
    return Money(
        uid=payment.uid,
        operator_id=payment.operator_id,
        party_id=payment.party_id,
        kind=payment.kind,
        currency=payment.currency,
        day=books.posting_day(today, today=today),
    )


def _zone(session: Session, operator_id: int) -> ZoneInfo:
    first = select(Space.timezone).where(Space.operator_id == operator_id).order_by(Space.id).limit(1)
    return ZoneInfo(session.scalar(first) or HOME_ZONE)
