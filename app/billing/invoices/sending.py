"""A document goes to its customer: by mail once it is final, once more when it is asked for, or on paper.

This package says what goes with the mail, and when; others carry it (workers/notifications.py joins the two).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice, Letterhead, Sending
from app.billing.invoices.standing import mark_sent
from app.errors import NotFound
from app.events.billing_facts import InvoiceSendingRequested
from app.events.outbox import record
from app.network.models import Operator
from app.network.parties.models import Party

MAIL, PAPER = "mail", "paper"
SAME = timedelta(minutes=1)  # asked for again so soon, it is the same sending


class ToSend(NamedTuple):
    """A document that is to be mailed: its kind of mail, and the party that it is to."""

    uid: UUID
    kind: str
    party_id: int


def to_send(session: Session, uid: UUID, *, asked_for: bool) -> ToSend | None:
    """What the mail of a document is about; None where its operator wants none sent by themselves, and nobody asked.

    Raises NotFound.
    """
    found = session.execute(
        select(Invoice.kind, Invoice.party_id, Letterhead.by_mail)
        .outerjoin(Letterhead, Letterhead.operator_id == Invoice.operator_id)
        .where(Invoice.uid == uid)
    ).one_or_none()
    if found is None:
        raise NotFound()
    if found.by_mail is False and not asked_for:
        return None
    return ToSend(uid, "credit_note" if found.kind == "credit_note" else "invoice", found.party_id)


def send_again(session: Session, invoice: Invoice, *, asked_by: int, now: datetime) -> Sending:
    """Have a document mailed once more. Asked for again within a minute, it is the same sending."""
    lock(session, invoice)
    last = _last(session, invoice, MAIL)
    if last is not None and now - last.asked_at < SAME:
        return last
    made = _note(session, invoice, MAIL, asked_by=asked_by, now=now)
    operator = session.get_one(Operator, invoice.operator_id)
    party_uid = session.scalars(select(Party.uid).where(Party.id == invoice.party_id)).one()
    fact = InvoiceSendingRequested(
        invoice_id=str(invoice.uid), operator_id=str(operator.uid), party_id=str(party_uid), sending_id=str(made.uid)
    )
    record(session, invoice, fact, at=now)
    return made


def hand_over_on_paper(session: Session, invoice: Invoice, *, asked_by: int, now: datetime) -> Sending:
    """Note that a document was handed over on paper. Again is the same, unless a mail was asked for since."""
    lock(session, invoice)
    before, mailed = _last(session, invoice, PAPER), _last(session, invoice, MAIL)
    if before is not None and (mailed is None or mailed.id < before.id):
        return before
    mark_sent(session, invoice.uid, now=now)
    return _note(session, invoice, PAPER, asked_by=asked_by, now=now)


def lock(session: Session, invoice: Invoice) -> None:
    """Two who ask at once ask one after the other."""
    session.execute(select(Invoice.id).where(Invoice.id == invoice.id).with_for_update(key_share=True))


def _last(session: Session, invoice: Invoice, way: str) -> Sending | None:
    mine = select(Sending).where(Sending.invoice_id == invoice.id, Sending.way == way)
    return session.scalars(mine.order_by(Sending.id.desc()).limit(1)).first()


def _note(session: Session, invoice: Invoice, way: str, *, asked_by: int, now: datetime) -> Sending:
    made = Sending(
        operator_id=invoice.operator_id, invoice_id=invoice.id, way=way, asked_by=asked_by, asked_at=now
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made
