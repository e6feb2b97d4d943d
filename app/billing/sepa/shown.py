"""What became of an item: a statement shows that it was carried out, or that it came back and why; or the bank refused
it, and no statement will."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.billing.months import hold_books
from app.billing.payments import refunding, states
from app.billing.payments.models import Refund
from app.billing.payments.tasks import open_task
from app.billing.sepa.models import SepaFile, SepaItem, SepaMandate
from app.errors import WrongState


def on_statement(session: Session, item_id: int, *, line_id: int, return_reason: str | None, now: datetime) -> None:
    """Note what the line `line_id` says of an item, and pass it on to the refund that a transfer gives.

    Without `return_reason` it was carried out: a mandate is used from then on.
    """
    item = _held(session, item_id)
    item.line_id = line_id
    _end(session, item, return_reason, now)


def rejected(session: Session, item: SepaItem, reason: str, *, now: datetime) -> SepaItem:
    """The bank refused an item before it moved any money: it is as if it had come back. The same reason once more
    changes nothing. Raises WrongState for an item that no bank has, or that a statement shows."""
    if item.refund_id is not None:  # the order of an import: books, payments, items
        hold_books(session, item.operator_id)
        refunding.held(session, session.get_one(Refund, item.refund_id).payment_id)
    item = _held(session, item.id)
    if (item.state, item.return_reason) == ("returned", reason):
        return item
    file = session.get(SepaFile, item.file_id, populate_existing=True) if item.file_id else None
    if file is None or item.state != "in_file":
        raise WrongState(state=item.state, remedy="only what the bank has, and no statement shows, can be rejected")
    if file.handed_over_at is None:
        raise WrongState(state="sealed", remedy="the bank has not got this file yet: cancel the file")
    _end(session, item, reason, now)
    return item


def _held(session: Session, item_id: int) -> SepaItem:
    return session.get_one(SepaItem, item_id, with_for_update={"key_share": True}, populate_existing=True)


def _end(session: Session, item: SepaItem, return_reason: str | None, now: datetime) -> None:
    item.return_reason = return_reason
    item.state = "settled" if return_reason is None else "returned"
    session.flush()
    if item.refund_id is not None:
        _tell_refund(session, item, now)
    if item.mandate_id is not None and return_reason is None:
        session.execute(update(SepaMandate).where(SepaMandate.id == item.mandate_id).values(used=True))


def _tell_refund(session: Session, item: SepaItem, now: datetime) -> None:
    books = hold_books(session, item.operator_id)
    refund = session.get_one(Refund, item.refund_id)
    payment = refunding.held(session, refund.payment_id)
    session.refresh(refund)
    if item.return_reason is not None:
        refunding.follow(session, payment, refund, states.FAILED, item.return_reason, books=books, now=now)
    elif refund.state in ("failed", "settled"):
        _paid_again(session, item, refund, now)
    else:
        refunding.refund_given(session, refund, now=now)


def _paid_again(session: Session, item: SepaItem, refund: Refund, now: datetime) -> None:
    """The bank gave what had failed, or was given already: the books know of it once at most, so a person must."""
    open_task(
        session, operator_id=item.operator_id, kind="refund_paid_again", key=f"refund_paid_again:{item.uid}",
        cents=item.cents, currency=item.currency, party_id=item.party_id, payment_id=refund.payment_id,
        facts={"refund_id": str(refund.uid), "refund": refund.state}, now=now,
    )  # fmt: skip
