"""Asking for a document's PDF: once it is finalised, and again where its file is lost. Nobody who asks waits for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.papers.models import Paper


def want_first(session: Session, invoice_uid: UUID, *, now: datetime) -> None:
    """A document was finalised: its PDF is to be drawn, unless that has been said before."""
    found = select(Invoice.id).where(Invoice.uid == invoice_uid)
    for invoice_id in session.scalars(found):
        _insert(session, invoice_id, now=now, again=False)


def want(session: Session, invoice_id: int, *, now: datetime) -> None:
    """Have the PDF drawn now, whatever became of it; one that is being drawn goes on. Asked twice is asked once."""
    _insert(session, invoice_id, now=now, again=True)


def _insert(session: Session, invoice_id: int, *, now: datetime, again: bool) -> None:
    wanted = insert(Paper).values(invoice_id=invoice_id, wanted_at=now, due_at=now)
    if not again:
        session.execute(wanted.on_conflict_do_nothing())
        return
    anew = {"state": "wanted", "wanted_at": now, "due_at": now, "attempts": 0, "claimed_until": None}
    over = Paper.state.in_(("drawn", "failed"))
    session.execute(wanted.on_conflict_do_update(index_elements=[Paper.invoice_id], set_=anew, where=over))
