"""From a document to the file of an electronic invoice: what is asked of the database, and what is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.reading import read
from app.billing.einvoices.writing import VERSION, xml
from app.billing.invoices.models import Invoice
from app.billing.papers import files
from app.billing.papers.look import Look
from app.billing.papers.models import Paper


class PaperFirst(Exception):
    """The document's PDF is not drawn yet: the hybrid is drawn as that one was."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written: the snapshot, and for a hybrid how the document's PDF looks."""

    snapshot: str
    format: str
    look: Look | None


def order(session: Session, row: EInvoice) -> Order:
    """Raises PaperFirst."""
    snapshot = session.scalars(select(Invoice.snapshot).where(Invoice.id == row.invoice_id)).one()
    if row.format != "factur-x":
        return Order(snapshot, row.format, None)
    drawn = select(Paper.look).where(Paper.invoice_id == row.invoice_id, Paper.state == "drawn")
    stored = session.scalars(drawn).one_or_none()
    if stored is None:
        raise PaperFirst()
    return Order(snapshot, row.format, Look.of(stored))


def make(wanted: Order, *, home: Path) -> dict[str, Any]:
    """Write the file and keep it; returns what its row says of it. The same order makes the same octets.

    Raises CannotBeWritten, UnknownFormat, and whatever drawing or the disk raises.
    """
    octets, by = xml(read(wanted.snapshot), wanted.format), f"einvoices/{VERSION}"
    if wanted.look is not None:
        from app.billing.einvoices import factur_x  # fpdf weighs 20 MB: a worker loads it when it first draws

        logo = files.read(home, wanted.look.logo) if wanted.look.logo else None
        octets = factur_x.drawn(wanted.snapshot, wanted.look, logo, octets)
        by = f"{by} {factur_x.VERSION}"
    return {"sha256": files.keep(home, octets), "size": len(octets), "made_by": by}
