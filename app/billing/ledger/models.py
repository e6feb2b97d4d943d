"""The rows, and who sees them: postings, their entries, and the sums rolled up from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, LargeBinary

from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_the_system, seen


def by_who_keeps_the_books(entity: Any, scope: Scope) -> ColumnElement[bool]:
    return entity.operator_id.in_(scope.books_ids)


@seen(by_who_keeps_the_books)
class Posting(Base):
    """One transaction of an operator's books: append-only, and its entries sum to zero (the database refuses else).

    `key` says what it posts (`charge:<uid>`, ...): one posting per operator and key. `day` is the day it belongs to,
    `created_at` when it was written. `txid` is the transaction that opened it: entries come in no other. `digest` is
    the SHA-256 of its canonical text (canonical.py).
    """

    __tablename__ = "posting"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    day: Mapped[date]
    currency: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    document: Mapped[str | None]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    txid: Mapped[int] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("operator_id", "key"),
        Index(None, "operator_id", "day"),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
    )


@seen(by_who_keeps_the_books)
class LedgerEntry(Base):
    """One line of a posting: debit > 0, credit < 0, in cents of the posting's currency.

    `operator_id` and `day` repeat the posting's, so that an account is read by index. A trigger looks the posting up,
    once per statement, and refuses others: a foreign key would do so once per line, by a plan made for a table of any
    size that it once had.
    """

    __tablename__ = "ledger_entry"
    posting_id: Mapped[int] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(Integer, primary_key=True)
    operator_id: Mapped[int]
    day: Mapped[date]
    account: Mapped[str]
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    cents: Mapped[int]
    __table_args__ = (
        CheckConstraint("cents <> 0", name="cents"),
        Index("ix_ledger_entry_account", "operator_id", "account", "day", "posting_id", "no",
              postgresql_include=["cents"]),
        Index("ix_ledger_entry_party", "operator_id", "account", "party_id", "day", "posting_id", "no",
              postgresql_include=["cents"], postgresql_where=text("party_id IS NOT NULL")),
    )  # fmt: skip


@seen(by_the_system)
class LedgerUnrolled(Base):
    """A posting that is in no checkpoint yet: entered by trigger with the posting, removed when it is rolled up."""

    __tablename__ = "ledger_unrolled"
    operator_id: Mapped[int] = mapped_column(primary_key=True)
    posting_id: Mapped[int] = mapped_column(primary_key=True)


@seen(by_the_system)
class LedgerCheckpoint(Base):
    """What one month moved on an account: in all (`party_id` 0), and for each party that has lines on it.

    Made of entries, makes them quick to add up, and can be made anew at any time: nothing is decided by it alone.
    """

    __tablename__ = "ledger_checkpoint"
    operator_id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)  # its first day
    debit_cents: Mapped[int]
    credit_cents: Mapped[int]
    lines: Mapped[int]
