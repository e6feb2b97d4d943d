"""What became of the mails that brought documents: read from the rows of mails, which another package writes.

A document is undelivered when its last mails came to nothing (no address, sent back, given up), and nobody has handed
it over on paper since. Mails that are on their way, or that one of several addressees took, count as delivered.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, column, exists, or_, select, table
from sqlalchemy.orm import Session, aliased

from app.billing.invoices.models import Invoice, Sending
from app.db import Statement

BRINGING = ("invoice", "credit_note")  # kinds of mail that bring the document itself
VAIN = ("suppressed", "bounced", "failed")

MOST = 100

# What mails are called here, by their state.
STATES = {
    "pending": "waiting", "sending": "waiting", "sent": "sent", **dict.fromkeys(VAIN, "not_sent"),
}  # fmt: skip

_mails = table(
    "notification", column("id"), column("document_uid"), column("kind"), column("state"), column("event_id"),
    column("created_at"),
)  # fmt: skip
_OF_DOCUMENT = Statement("""
    SELECT kind, state, reason, created_at, sent_at FROM notification WHERE document_uid = :uid ORDER BY id
""")
_SENDINGS = Statement("SELECT way, asked_at FROM sending WHERE invoice_id = :id AND way = 'paper' ORDER BY id")


class Delivery(NamedTuple):
    """One mail with a document, or its handing over on paper; `reason` is why a mail was not sent, a code."""

    way: str
    kind: str
    state: str
    reason: str | None
    at: datetime
    sent_at: datetime | None


def deliveries(session: Session, invoice: Invoice) -> list[Delivery]:
    """How a document that the session's person has found went out, oldest first. Of a mail sent back, `sent_at` is
    when it was sent."""
    mails = [
        Delivery("mail", row.kind, STATES[row.state], row.reason, row.created_at, row.sent_at)
        for row in _OF_DOCUMENT.run(session, {"uid": invoice.uid}).fetchall()
    ]
    kind = "credit_note" if invoice.kind == "credit_note" else "invoice"
    papers = [
        Delivery("paper", kind, "sent", None, row.asked_at, row.asked_at)
        for row in _SENDINGS.run(session, {"id": invoice.id}).fetchall()
    ]
    return sorted(mails + papers, key=lambda each: each.at)


def undelivered() -> ColumnElement[bool]:
    """The criterion for documents whose customer has not got them, as far as we know."""
    return Invoice.uid.in_(_in_vain())


def undelivered_numbers(session: Session, operator_id: int) -> list[str]:
    """The numbers of an operator's undelivered documents, oldest first: no more than a digest can show."""
    own = select(Invoice.number).where(Invoice.operator_id == operator_id, undelivered())
    return list(session.scalars(own.order_by(Invoice.id).limit(MOST)))


def _in_vain() -> Select[tuple[object]]:
    vain, better, document = _mails.alias("vain"), _mails.alias("better"), aliased(Invoice)
    outdone = exists(
        select(better.c.id).where(
            better.c.document_uid == vain.c.document_uid,
            better.c.kind.in_(BRINGING),
            better.c.state.not_in(VAIN),
            or_(better.c.id > vain.c.id, better.c.event_id == vain.c.event_id),
        )
    )
    # The first mail may be written after somebody has handed the document over already: paper settles it, unless a mail
    # was asked for since.
    paper, mailed = aliased(Sending), aliased(Sending)
    asked_since = exists(
        select(mailed.id).where(mailed.invoice_id == paper.invoice_id, mailed.way == "mail", mailed.id > paper.id)
    )
    on_paper = exists(
        select(paper.id)
        .join(document, document.id == paper.invoice_id)
        .where(document.uid == vain.c.document_uid, paper.way == "paper", ~asked_since)
    )
    in_vain = and_(vain.c.document_uid.is_not(None), vain.c.state.in_(VAIN), vain.c.kind.in_(BRINGING))
    return select(vain.c.document_uid).where(in_vain, ~outdone, ~on_paper)
