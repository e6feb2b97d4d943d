"""Closings, where each operator's books stand, and archives that were sealed: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from app.billing.charges.models import Charge
from app.billing.invoices.models import Invoice
from app.billing.ledger.models import Posting
from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_the_system, seen


def by_who_keeps_the_books(entity: Any, scope: Scope) -> ColumnElement[bool]:
    return entity.operator_id.in_(scope.books_ids)


@seen(by_the_system)
class ClosingBook(Base):
    """How far an operator's books are closed. `timezone` is that of its first space, and never changes.

    What is recorded before `bounded_until` is final: whatever is written later is recorded at that instant at the
    earliest, by trigger. It is ahead of the last daily closing only while days up to it are being sealed.
    """

    __tablename__ = "closing_book"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    timezone: Mapped[str]
    begins_on: Mapped[date]
    bounded_until: Mapped[datetime]


@seen(by_who_keeps_the_books)
class Closing(Base):
    """One day, month or year of an operator, closed. Never changed or removed (a trigger refuses).

    `snapshot` is the canonical content (content.py), `hash` its SHA-256; numbers of an operator and kind have no gap.
    """

    __tablename__ = "closing"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    kind: Mapped[str]
    number: Mapped[int]
    first_day: Mapped[date]
    last_day: Mapped[date]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    snapshot: Mapped[str] = mapped_column(Text)
    hash: Mapped[str]
    previous_hash: Mapped[str | None]
    sealed_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("kind IN ('day', 'month', 'year')", name="kind"),
        CheckConstraint("number >= 1 AND first_day <= last_day AND starts_at < ends_at", name="period"),
        CheckConstraint("(number = 1) = (previous_hash IS NULL)", name="chain"),
        UniqueConstraint("operator_id", "kind", "number"),
        UniqueConstraint("operator_id", "kind", "first_day"),
    )


@seen(by_the_system)
class ArchiveKey(Base):
    """A public key that archives are signed with, in hexadecimal. The one before signs it (`endorsement`), so that who
    kept an old one can trust it."""

    __tablename__ = "archive_key"
    id: Mapped[Key]
    public_key: Mapped[str] = mapped_column(unique=True)
    host: Mapped[str]
    previous_key: Mapped[str | None]
    endorsement: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@seen(by_who_keeps_the_books)
class SealedArchive(Base):
    """An archive of an operator's month that was written: on which host, under which name, its SHA-256 and key."""

    __tablename__ = "sealed_archive"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), index=True)
    month: Mapped[date]
    host: Mapped[str]
    path: Mapped[str]
    octets: Mapped[int]
    sha256: Mapped[str]
    public_key: Mapped[str]
    by_itself: Mapped[bool]  # after the month's closing; else by the command
    made_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("extract(day from month) = 1", name="month"),)


# What was recorded between two instants is found by these.
Index("ix_posting_operator_id_created_at", Posting.operator_id, Posting.created_at)
Index("ix_charge_operator_id_created_at", Charge.operator_id, Charge.created_at)
Index("ix_invoice_operator_id_finalised_at", Invoice.operator_id, Invoice.finalised_at)
