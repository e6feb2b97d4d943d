"""Documents, the series they are numbered in, and what an operator's documents say: the rows, and who sees them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, column, or_, select, table
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, Text

from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_the_system, is_own, seen

KINDS = ("monthly", "now", "deposit", "credit_note")
WAYS = ("mail", "paper")

_parties = table("party", column("id"), column("member_id"), column("employer_id"))


def by_customer_and_books(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """A document is seen by the member whose party it names, that party's employer's administrators, and who keeps the
    operator's books."""
    row = _parties.c
    named = select(row.id).where(or_(is_own(row.member_id, scope), row.employer_id.in_(scope.employer_ids)))
    return entity.operator_id.in_(scope.books_ids) | entity.party_id.in_(named.scalar_subquery())


def by_books(entity: Any, scope: Scope) -> ColumnElement[bool]:
    criterion: ColumnElement[bool] = entity.operator_id.in_(scope.books_ids)
    return criterion


@seen(by_customer_and_books)
class Invoice(Base):
    """A finalised document: never changed or removed (a trigger refuses), but for when it was sent and its events.

    `snapshot` is its content in canonical JSON, `hash` the SHA-256 of that, `previous_hash` the hash of the one before
    in its series (zeros for the first); the other columns repeat what is searched for. The amounts of a credit note are
    positive, and owed to the party. `run_key` names the charge that it begins with: a charge is on one document only.
    """

    __tablename__ = "invoice"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[str]
    series: Mapped[str]
    sequence: Mapped[int]
    number: Mapped[str]
    issued_on: Mapped[date]
    due_on: Mapped[date]
    period_from: Mapped[date | None]
    period_until: Mapped[date | None]
    currency: Mapped[str]
    net_cents: Mapped[int]
    vat_cents: Mapped[int]
    gross_cents: Mapped[int]
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    communication: Mapped[str]
    snapshot: Mapped[str] = mapped_column(Text)
    hash: Mapped[str]
    previous_hash: Mapped[str]
    run_key: Mapped[str] = mapped_column(unique=True)
    finalised_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    event_seq: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        CheckConstraint("kind IN ('monthly', 'now', 'deposit', 'credit_note')", name="kind"),
        CheckConstraint("net_cents + vat_cents = gross_cents", name="sum"),
        CheckConstraint("(kind = 'credit_note') = (corrects_id IS NOT NULL)", name="corrects"),
        CheckConstraint("sequence >= 1", name="sequence"),
        UniqueConstraint("operator_id", "series", "sequence"),
        UniqueConstraint("operator_id", "number"),
        Index("ix_invoice_operator_id_id", "operator_id", "id"),
        Index("ix_invoice_party_id_id", "party_id", "id"),
        Index("ix_invoice_corrects_id", "corrects_id"),
    )


@seen(by_books)
class Sending(Base):
    """A document that somebody who keeps the books had sent by mail once more, or handed over on paper.

    The first mail of a document needs no row: it goes by itself.
    """

    __tablename__ = "sending"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    way: Mapped[str]
    asked_by: Mapped[int] = mapped_column(ForeignKey("member.id"))
    asked_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("way IN ('mail', 'paper')", name="way"),
        Index("ix_sending_invoice_id_id", "invoice_id", "id"),
    )


@seen(by_the_system)
class InvoiceSeries(Base):
    """Where a series stands. Its row is locked while numbers are given, so that none is given twice or left out.

    `prefix` stays what it was when the series began; days of issue never go back within it.
    """

    __tablename__ = "invoice_series"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    series: Mapped[str] = mapped_column(primary_key=True)
    prefix: Mapped[str]
    last_sequence: Mapped[int] = mapped_column(server_default="0")
    last_hash: Mapped[str]
    last_issued_on: Mapped[date]


@seen(by_books)
class Letterhead(Base):
    """What an operator's documents say of it: the prefix of their numbers, its seat, and when they are to be paid.

    Without a row: the address of its first space, a prefix from that town's name, and thirty days. `by_mail` is
    whether documents are mailed to their customers by themselves.
    """

    __tablename__ = "letterhead"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    prefix: Mapped[str]
    street: Mapped[str]
    postcode: Mapped[str]
    town: Mapped[str]
    terms_days: Mapped[int] = mapped_column(Integer, server_default="30")
    by_mail: Mapped[bool] = mapped_column(server_default="true")
    __table_args__ = (
        CheckConstraint("prefix ~ '^[A-Z0-9]{1,8}$'", name="prefix"),
        CheckConstraint("terms_days BETWEEN 0 AND 60", name="terms_days"),
    )
