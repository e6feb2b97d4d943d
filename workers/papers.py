"""The papers worker: a document that was finalised gets the PDF that people receive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.billing.papers.press import press
from app.billing.papers.wanting import want_first
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def want_paper(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write down that the PDF is to be drawn; the press beside this consumer draws it. One row, whatever the event."""
    want_first(session, envelope.aggregate_id, now=now)


# A document has one event, and its paper no other's.
PAPERS = register(
    Consumer(
        name="papers",
        aggregate_types=("invoice",),
        blocking=False,
        sender=press,
        handlers={"invoice.finalised": want_paper, "credit_note.finalised": want_paper},
    )
)
