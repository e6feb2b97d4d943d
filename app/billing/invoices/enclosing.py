"""What a mail with a document is told of it, and the PDF that it encloses."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.invoices.models import Invoice
from app.billing.invoices.standing import settled_cents
from app.billing.papers import files, wanting
from app.billing.papers.labels import label
from app.billing.papers.models import Paper


def document(session: Session, uid: UUID) -> Invoice:
    """Of the system's: a document by its public id."""
    return session.scalars(select(Invoice).where(Invoice.uid == uid)).one()


def told(session: Session, invoice: Invoice, *, language: str) -> dict[str, Any]:
    """What a mail says of a document: as it was finalised, with what is left to pay of it now.

    Amounts in cents, days as ISO 8601; `title` is what the law of its country calls it.
    """
    content = json.loads(invoice.snapshot)
    corrected = session.get_one(Invoice, invoice.corrects_id) if invoice.corrects_id else None
    settled = settled_cents(session, [each for each in (invoice, corrected) if each is not None])
    return {
        **_named(invoice, content, language),
        "id": str(invoice.uid),
        "seller": content["seller"]["name"],
        "gross_cents": invoice.gross_cents,
        "open_cents": 0 if corrected else _open(invoice, settled),
        "currency": invoice.currency,
        "due_on": invoice.due_on.isoformat(),
        "iban": _grouped(content["payment"]["iban"] or ""),
        "communication": content["payment"]["communication"] or "",
        "corrects": corrected and {
            **_named(corrected, json.loads(corrected.snapshot), language),
            "issued_on": corrected.issued_on.isoformat(),
            "open_cents": _open(corrected, settled),
        },
    }  # fmt: skip


def pdf(session: Session, invoice: Invoice, *, home: Path, now: datetime) -> bytes | None:
    """The PDF of a document; None while it is not drawn. One that was lost is drawn again; one that could not be drawn
    waits for whom the doctor tells so."""
    paper = session.get(Paper, invoice.id, populate_existing=True)
    if paper is None:
        wanting.want_first(session, invoice.uid, now=now)
        return None
    if paper.state != "drawn" or paper.sha256 is None:
        return None
    octets = files.read(home, paper.sha256)
    if octets is None:
        wanting.want(session, invoice.id, now=now)
    return octets


def _named(invoice: Invoice, content: dict[str, Any], language: str) -> dict[str, str]:
    name = "deposit" if content["purpose"] == "deposit" else content["kind"]
    return {"title": label(name, language, content["seller"]["country"]), "number": invoice.number}


def _open(invoice: Invoice, settled: dict[int, int]) -> int:
    return max(0, invoice.gross_cents - settled[invoice.id])


def _grouped(iban: str) -> str:
    return " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
