"""What a receiver answered, taken into account: each answer once, in any order, and never backwards."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.einvoices.answers import meaning
from app.billing.einvoices.history import tell
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.port import Answer
from app.billing.invoices.models import Invoice
from app.billing.payments.tasks import open_task
from app.network.models import Operator

RANK = {"made": 0, "handed_over": 1, "delivered": 2, "accepted": 3, "rejected": 3}


def hear(session: Session, answer: Answer, *, now: datetime) -> bool:
    """Take an answer into account, once in each round; False where it is about nothing that this operator handed over.

    The first of accepted and rejected stands; one from before the present round is kept in the history alone.
    """
    row = _found(session, answer)
    if row is None:
        return False
    told = meaning(answer)
    is_old = _is_old(answer, row)
    # Whoever rejects it again may say so in the same words: that is an answer to another round.
    step = {"key": f"answer:{row.round - is_old}:{answer.key}", "code": answer.code, "detail": answer.reason}
    if not tell(session, row, state=told.state, **step, now=now):
        return True
    if not is_old and RANK.get(row.state, 9) < RANK[told.state]:
        row.state, row.reason = told.state, answer.reason or None
        row.due_at = None
    if told.for_a_person:
        kind = "einvoice_rejected" if told.state == "rejected" else "einvoice_queried"
        ask_somebody(session, row, kind=kind, about=answer.key, code=answer.code, now=now)
    return True


def ask_somebody(session: Session, row: EInvoice, *, kind: str, about: str, code: str, now: datetime) -> None:
    """A task for who keeps the books: once for each electronic invoice and what it is about."""
    invoice = session.get_one(Invoice, row.invoice_id)
    facts = {"einvoice_id": str(row.uid), "format": row.format, "code": code}
    open_task(
        session, operator_id=row.operator_id, kind=kind, key=f"einvoice:{row.uid}:{row.round}:{about}", cents=0,
        currency=invoice.currency, party_id=invoice.party_id, invoice_id=invoice.id, facts=facts, now=now,
    )  # fmt: skip


def _found(session: Session, answer: Answer) -> EInvoice | None:
    """What it is about, locked: of one number the format that went last."""
    operator = select(Operator.id).where(Operator.uid == answer.operator_uid)
    went = EInvoice.handed_over_at.is_not(None) | (EInvoice.round > 1)
    mine = select(EInvoice).where(EInvoice.operator_id.in_(operator.scalar_subquery()), went)
    if answer.einvoice_uid is not None:
        mine = mine.where(EInvoice.uid == answer.einvoice_uid)
    else:
        numbered = select(Invoice.id).where(
            Invoice.number == answer.number, Invoice.operator_id.in_(operator.scalar_subquery())
        )
        mine = mine.where(EInvoice.invoice_id.in_(numbered.scalar_subquery()))
    newest = mine.order_by(EInvoice.handed_over_at.desc().nulls_last(), EInvoice.id.desc()).limit(1)
    return session.scalars(
        newest.with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one_or_none()


def _is_old(answer: Answer, row: EInvoice) -> bool:
    """Whether it is about an earlier round: this one has not gone yet, or went later."""
    if row.round == 1:
        return False
    return row.handed_over_at is None or (answer.at is not None and answer.at < row.handed_over_at)
