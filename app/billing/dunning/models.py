"""How an operator reminds, what was done about each invoice, and what was stopped: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.billing.invoices.models import by_books
from app.db import Base, Key, PublicId
from app.tenancy import seen


@seen(by_books)
class DunningPolicy(Base):
    """An operator's schedule. Without a row, or while it is not `active`, nobody is reminded.

    `steps` is a list of `{after_days, action, claims}`. `basis_points` is the yearly rate that its terms agree, in
    hundredths of a percent; null is the statutory one. Nothing is done about an invoice of which less than
    `least_cents` is open. A debit that failed for want of money is tried again after each of `retry_days`.
    """

    __tablename__ = "dunning_policy"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    active: Mapped[bool] = mapped_column(server_default="false")
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    basis_points: Mapped[int | None] = mapped_column(Integer)
    consumers_agreed: Mapped[bool] = mapped_column(server_default="false")
    least_cents: Mapped[int] = mapped_column(server_default="100")
    retry_days: Mapped[list[int]] = mapped_column(JSONB, server_default="[3, 7]")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("basis_points BETWEEN 0 AND 3000", name="basis_points"),
        CheckConstraint("least_cents >= 0", name="least_cents"),
    )


@seen(by_books)
class DunningAct(Base):
    """A step that was taken about an invoice, with what was open and claimed then: one row a step, never changed."""

    __tablename__ = "dunning_act"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    no: Mapped[int] = mapped_column(Integer)
    action: Mapped[str]
    day: Mapped[date]
    open_cents: Mapped[int]
    interest_cents: Mapped[int]
    compensation_cents: Mapped[int]
    currency: Mapped[str]
    ground: Mapped[str | None]
    done_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("invoice_id", "no"),
        CheckConstraint("action IN ('reminder', 'formal_notice', 'suspension')", name="action"),
        CheckConstraint("open_cents > 0", name="open_cents"),
        CheckConstraint("interest_cents >= 0 AND compensation_cents >= 0", name="claimed"),
        Index("ix_dunning_act_operator_id_id", "operator_id", "id"),
    )


@seen(by_books)
class DunningStop(Base):
    """The button that stops it: for the whole operator, one party, or one invoice, until somebody lifts it, or a day.

    Exactly as wide as the most precise thing that it names.
    """

    __tablename__ = "dunning_stop"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    until: Mapped[date | None]
    reason: Mapped[str]
    stopped_by_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    stopped_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("num_nonnulls(party_id, invoice_id) <= 1", name="what"),
        Index("ix_dunning_stop_standing", "operator_id", postgresql_where=text("lifted_at IS NULL")),
    )
