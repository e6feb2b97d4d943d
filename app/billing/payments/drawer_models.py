"""Cash drawers, one per space and day, and the cash that went in and out: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.billing.invoices.models import by_books
from app.db import Base, Key, PublicId
from app.tenancy import seen


@seen(by_books)
class CashDrawer(Base):
    """The cash of a space on a local day. `opening_cents` is its float; counted once, at the end, for good.

    What should be there is the float and its movements; `difference_cents` is what was counted above that (below: < 0).
    """

    __tablename__ = "cash_drawer"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    day: Mapped[date]
    currency: Mapped[str]
    opening_cents: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    opened_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    counted_cents: Mapped[int | None]
    difference_cents: Mapped[int | None]
    counted_at: Mapped[datetime | None]
    counted_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    note: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        UniqueConstraint("space_id", "day"),
        CheckConstraint("opening_cents >= 0 AND counted_cents >= 0", name="cents"),
        CheckConstraint(
            "(counted_at IS NULL) = (counted_cents IS NULL) AND (counted_at IS NULL) = (difference_cents IS NULL)",
            name="counted",
        ),
        Index("ix_cash_drawer_operator_id_id", "operator_id", "id"),
    )


@seen(by_books)
class CashMovement(Base):
    """Cash of a payment that went into a drawer (> 0), or of a refund that was handed out of it (< 0)."""

    __tablename__ = "cash_movement"
    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    cash_drawer_id: Mapped[int] = mapped_column(ForeignKey("cash_drawer.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"), unique=True)
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"), unique=True)
    cents: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("cents <> 0", name="cents"),
        CheckConstraint("(payment_id IS NULL) <> (refund_id IS NULL)", name="of_one"),
    )
