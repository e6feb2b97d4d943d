"""Papers: which document's PDF is where; and how an operator wants its documents to look."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, column, func, select, table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.billing.invoices.models import by_books, by_customer_and_books
from app.db import Base
from app.tenancy import Scope, seen

_invoices = table("invoice", column("id"), column("operator_id"), column("party_id"))


def _by_document(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Who sees the document sees its paper."""
    theirs = select(_invoices.c.id).where(by_customer_and_books(_invoices.c, scope))
    criterion: ColumnElement[bool] = entity.invoice_id.in_(theirs.scalar_subquery())
    return criterion


@seen(_by_document)
class Paper(Base):
    """The PDF of a document: wanted, being drawn, drawn, or failed after the last attempt.

    `sha256` names the file, which is on disk before the row says so, and `drawn_by` the versions that drew it. `look`
    is how the operator's documents looked when it was first drawn: drawn again, it is the same. `attempts` counts the
    claims since it was last asked for, and fences them.
    """

    __tablename__ = "paper"
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(server_default="wanted")
    wanted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None]
    look: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    sha256: Mapped[str | None]
    size: Mapped[int | None]
    drawn_by: Mapped[str | None]
    rendered_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('wanted', 'drawing', 'drawn', 'failed')", name="state"),
        CheckConstraint("state <> 'drawn' OR num_nonnulls(look, sha256, size, drawn_by, rendered_at) = 5",
                        name="drawn"),
        Index("ix_paper_to_draw", "due_at", "invoice_id", postgresql_where=text("state IN ('wanted', 'drawing')")),
        Index("ix_paper_failed", "state", postgresql_where=text("state = 'failed'")),
    )  # fmt: skip


@seen(by_books)
class OperatorBranding(Base):
    """An operator's logo (the SHA-256 of a stored PNG or JPEG), colour (#rrggbb) and words on its documents.

    Without a row: its name, a sober colour, no words.
    """

    __tablename__ = "operator_branding"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    accent: Mapped[str]
    logo: Mapped[str | None]
    text: Mapped[str] = mapped_column(server_default="")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("accent ~ '^#[0-9a-f]{6}$'", name="accent"),
        CheckConstraint("logo ~ '^[0-9a-f]{64}$'", name="logo"),
    )
