"""An item is shown on a statement: it was carried out, or it came back, and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.billing.months import hold_books
from app.billing.payments import refunding, states
from app.billing.payments.models import Refund
from app.billing.sepa.models import SepaItem, SepaMandate


def on_statement(session: Session, item_id: int, *, line_id: int, return_reason: str | None, now: datetime) -> None:
    """Note what the line `line_id` says of an item, and pass it on to the refund that a transfer gives.

    Without `return_reason` it was carried out: a mandate is used from then on.
    """
    item = session.get_one(SepaItem, item_id, with_for_update={"key_share": True})
    item.line_id, item.return_reason = line_id, return_reason
    item.state = "settled" if return_reason is None else "returned"
    session.flush()
    if item.refund_id is not None:
        _tell_refund(session, item, now)
    if item.mandate_id is not None and return_reason is None:
        session.execute(update(SepaMandate).where(SepaMandate.id == item.mandate_id).values(used=True))


def _tell_refund(session: Session, item: SepaItem, now: datetime) -> None:
    refund = session.get_one(Refund, item.refund_id)
    if item.return_reason is None:
        refunding.refund_given(session, refund, now=now)
        return
    books = hold_books(session, item.operator_id)
    payment = refunding.held(session, refund.payment_id)
    refunding.follow(session, payment, refund, states.FAILED, item.return_reason, books=books, now=now)
