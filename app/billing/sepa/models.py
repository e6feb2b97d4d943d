"""Mandates, items that go into SEPA files, and the files: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.billing.invoices.models import by_books
from app.db import Base, Key, PublicId
from app.tenancy import seen

KINDS = ("transfer", "debit")
ITEM_STATES = ("waiting", "in_file", "settled", "returned", "cancelled")


@seen(by_books)
class SepaMandate(Base):
    """A debtor's signature that an operator may collect from its account. `used` says that a debit of it was settled:
    the next one is recurrent (RCUR), before that each is the first (FRST)."""

    __tablename__ = "sepa_mandate"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    reference: Mapped[str]
    scheme: Mapped[str]
    signed_on: Mapped[date]
    debtor_name: Mapped[str]
    iban: Mapped[str]
    bic: Mapped[str | None]
    used: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("operator_id", "reference"),
        CheckConstraint("scheme IN ('CORE', 'B2B')", name="scheme"),
        Index("uq_sepa_mandate_active", "operator_id", "party_id", unique=True,
              postgresql_where=text("revoked_at IS NULL")),
    )  # fmt: skip


@seen(by_books)
class SepaFile(Base):
    """A file as it was sealed: its content is PASSERELLE_HOME/files/<sha256>, and never changes.

    `handed_over_at` is from when on it may be taken to the bank; until then it may be cancelled, with a reason.
    """

    __tablename__ = "sepa_file"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    kind: Mapped[str]
    format: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    items: Mapped[int] = mapped_column(Integer)
    cents: Mapped[int]
    currency: Mapped[str]
    execution_on: Mapped[date]
    made_at: Mapped[datetime]
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    handed_over_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancel_reason: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        CheckConstraint("kind IN ('transfer', 'debit')", name="kind"),
        CheckConstraint("items > 0 AND cents > 0", name="totals"),
        CheckConstraint("handed_over_at IS NULL OR cancelled_at IS NULL", name="cancelled"),
        CheckConstraint("cancelled_at IS NULL OR cancel_reason <> ''", name="cancel_reason"),
        Index("ix_sepa_file_operator_id_id", "operator_id", "id"),
    )


@seen(by_books)
class SepaItem(Base):
    """One transfer or debit. `source` names what it is for, and keeps it from being made twice; `end_to_end_id` is what
    the bank repeats on the statement. An item is in one file; when that is cancelled, so is the item, and what it was
    for gets a new one."""

    __tablename__ = "sepa_item"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    kind: Mapped[str]
    source: Mapped[str] = mapped_column(unique=True)
    end_to_end_id: Mapped[str] = mapped_column(unique=True)
    file_id: Mapped[int | None] = mapped_column(ForeignKey("sepa_file.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"), index=True)
    mandate_id: Mapped[int | None] = mapped_column(ForeignKey("sepa_mandate.id"))
    sequence: Mapped[str | None]
    name: Mapped[str]
    iban: Mapped[str]
    bic: Mapped[str | None]
    remittance: Mapped[str]
    cents: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="waiting")
    line_id: Mapped[int | None] = mapped_column(ForeignKey("bank_line.id"))
    return_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("kind IN ('transfer', 'debit')", name="kind"),
        CheckConstraint(f"state IN ({', '.join(map(repr, ITEM_STATES))})", name="state"),
        CheckConstraint("cents > 0", name="cents"),
        CheckConstraint("(kind = 'debit') = (mandate_id IS NOT NULL AND sequence IS NOT NULL)", name="mandate"),
        Index("ix_sepa_item_waiting", "operator_id", "kind", postgresql_where=text("state = 'waiting'")),
    )
