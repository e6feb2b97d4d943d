"""Electronic invoices: what is made of a document and where it is, what became of it, how an operator sends them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    column,
    func,
    select,
    table,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.billing.invoices.models import by_books, by_customer_and_books
from app.db import Base, Key, PublicId
from app.tenancy import Scope, seen

FORMATS = ("peppol", "ubl-fr", "factur-x", "ubl", "cii")
STATES = ("wanted", "made", "handed_over", "delivered", "accepted", "rejected", "failed")
ROUTES = ("peppol", "platform")

_invoices = table("invoice", column("id"), column("operator_id"), column("party_id"))


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(map(repr, values))


def _by_document(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Who sees the document sees its electronic forms."""
    theirs = select(_invoices.c.id).where(by_customer_and_books(_invoices.c, scope))
    criterion: ColumnElement[bool] = entity.invoice_id.in_(theirs.scalar_subquery())
    return criterion


@seen(_by_document)
class EInvoice(Base):
    """A document in one format: wanted, made, handed over to whoever delivers it, and what the receiver answered.

    `sha256` names the file under PASSERELLE_HOME/files, on disk before the row says so; made again it is the same.
    `route` is the way it goes, null where it was made for somebody to read. `round` counts how often it was handed
    over: a rejected one may go again, and each round goes once, whatever dies on the way. `handed_over_at` says since
    when this round is with the carrier, or may be: it is written down before. `due_at` is when something is to be done
    about it next (made, handed over), `claimed_until` until when somebody does, `attempts` since when.
    """

    __tablename__ = "einvoice"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    format: Mapped[str]
    route: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="wanted")
    round: Mapped[int] = mapped_column(Integer, server_default="1")
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None]
    sha256: Mapped[str | None]
    size: Mapped[int | None]
    made_by: Mapped[str | None]
    made_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    reference: Mapped[str | None]
    reason: Mapped[str | None]
    __table_args__ = (
        CheckConstraint(f"format IN ({_listed(FORMATS)})", name="format"),
        CheckConstraint(f"state IN ({_listed(STATES)})", name="state"),
        CheckConstraint(f"route IN ({_listed(ROUTES)})", name="route"),
        CheckConstraint("state IN ('wanted', 'failed') OR num_nonnulls(sha256, size, made_by, made_at) = 4",
                        name="made"),
        UniqueConstraint("invoice_id", "format"),
        Index("ix_einvoice_operator_id_id", "operator_id", "id"),
        Index("ix_einvoice_unanswered", "state",
              postgresql_where=text("state IN ('handed_over', 'rejected', 'failed')")),
        Index("ix_einvoice_due", "due_at", "id", postgresql_where=text("due_at IS NOT NULL")),
    )  # fmt: skip


@seen(by_books)
class EInvoiceStep(Base):
    """What happened to an electronic invoice, in order: never changed. `key` keeps one answer from counting twice."""

    __tablename__ = "einvoice_step"
    id: Mapped[Key]
    einvoice_id: Mapped[int] = mapped_column(ForeignKey("einvoice.id"))
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    key: Mapped[str]
    state: Mapped[str]
    code: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[str] = mapped_column(server_default="")
    at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("einvoice_id", "key"),
        Index("ix_einvoice_step_operator_id_id", "operator_id", "id"),
    )


@seen(by_books)
class EInvoicing(Base):
    """How an operator sends: by each way, the first day of issue of what goes by it; null is not (yet).

    Without a row nothing is sent: documents are made and wait. `platform_format` is the one of two that its French
    platform takes.
    """

    __tablename__ = "einvoicing"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    peppol_from: Mapped[date | None]
    platform_from: Mapped[date | None]
    platform_format: Mapped[str] = mapped_column(server_default="ubl-fr")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (CheckConstraint("platform_format IN ('ubl-fr', 'factur-x')", name="platform_format"),)
