"""Asking for electronic invoices: once a document is finalised, when somebody wants to read one, and after a rejection.

Nobody who asks waits for it: the dispatcher makes and sends (dispatching.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.einvoices.history import tell
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.needs import PEPPOL, PLATFORM, lacking, needs
from app.billing.einvoices.reading import read
from app.billing.einvoices.sending import gone_as, lock_document
from app.billing.einvoices.writing import CannotBeWritten
from app.billing.invoices.models import Invoice
from app.errors import WrongState
from app.ids import new_id

AGAIN = ("rejected", "failed")
ROUTES = {"peppol": PEPPOL, "ubl-fr": PLATFORM, "factur-x": PLATFORM}
_REMEDY_IN_ANOTHER = (
    "it went in that format, and is on its way or accepted: wait for its answer",
    "it may have gone in that format when it failed: send it again in that one",
)


def want_first(session: Session, invoice_uid: UUID, *, now: datetime) -> None:
    """A document was finalised: have made what it needs, once, whatever the event."""
    invoice = session.scalars(select(Invoice).where(Invoice.uid == invoice_uid)).one_or_none()
    if invoice is None:
        return
    for need in needs(read(invoice.snapshot)):
        _insert(session, invoice, need.format, route=need.route, now=now)


def want(session: Session, invoice: Invoice, format: str, *, now: datetime) -> None:
    """Have a document written in a format for somebody to read; what is made already, and where, stays as it is.

    Raises CannotBeWritten for a document that lacks what the format demands.
    """
    if missing := lacking(read(invoice.snapshot), format):
        raise CannotBeWritten(format=format, lacking=missing)
    _insert(session, invoice, format, route=None, now=now)
    mine = update(EInvoice).where(
        EInvoice.invoice_id == invoice.id, EInvoice.format == format, EInvoice.due_at.is_(None)
    )
    session.execute(mine.values(due_at=now, attempts=0).execution_options(synchronize_session=False))


def send_again(session: Session, invoice: Invoice, format: str, *, now: datetime) -> EInvoice:
    """Have a document made and sent by its route: a first time, or anew after a rejection or a failure.

    A rejected one goes out as another round, the same to the octet: the document is final, what was wrong lay elsewhere
    (an address, a directory); a wrong document is mended by a credit note. Raises CannotBeWritten, and WrongState while
    it is on its way or accepted, in this format or in another of the same route: nothing goes twice.
    """
    if missing := lacking(read(invoice.snapshot), format):
        raise CannotBeWritten(format=format, lacking=missing)
    lock_document(session, invoice.id)
    gone = gone_as(session, invoice.id, route=ROUTES.get(format), format=format)
    if gone is not None:
        raise WrongState(state=gone.state, format=gone.format, remedy=_REMEDY_IN_ANOTHER[gone.state == "failed"])
    _insert(session, invoice, format, route=ROUTES.get(format), now=now)
    mine = select(EInvoice).where(EInvoice.invoice_id == invoice.id, EInvoice.format == format)
    row = session.scalars(mine.with_for_update(key_share=True).execution_options(populate_existing=True)).one()
    if row.state in AGAIN:
        _anew(session, row, now=now)
    elif row.state not in ("wanted", "made"):
        raise WrongState(state=row.state, remedy="it is on its way or accepted: wait for its answer")
    elif row.due_at is None:  # made, and looked at before: it may go now
        row.due_at, row.attempts = now, 0
    session.flush()
    return row


def _anew(session: Session, row: EInvoice, *, now: datetime) -> None:
    if row.state == "rejected":
        row.round += 1
        row.handed_over_at = None  # this round has not gone; a failed one may have
    row.state = "made" if row.sha256 else "wanted"
    row.due_at, row.attempts, row.claimed_until = now, 0, None
    row.last_error = row.reason = None
    tell(session, row, state=row.state, key=f"again:{row.round}:{now.isoformat()}", detail="asked for again", now=now)


def _insert(session: Session, invoice: Invoice, format: str, *, route: str | None, now: datetime) -> None:
    """One row for each format; one that somebody only wanted to read gets the route that the law gives it."""
    row = {
        "uid": new_id(), "invoice_id": invoice.id, "operator_id": invoice.operator_id, "format": format, "route": route,
        "due_at": now,
    }  # fmt: skip
    wanted = insert(EInvoice).values(row)
    if route is None:
        session.execute(wanted.on_conflict_do_nothing(index_elements=["invoice_id", "format"]))
        return
    sent = {"route": route, "due_at": now, "attempts": 0}
    session.execute(
        wanted.on_conflict_do_update(index_elements=["invoice_id", "format"], set_=sent, where=EInvoice.route.is_(None))
    )
