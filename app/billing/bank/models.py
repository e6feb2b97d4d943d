"""Bank statements, their lines, and what is proposed for a line: the rows, and who sees them."""

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

STATES = ("matched", "proposed", "open", "dismissed")


@seen(by_books)
class BankStatement(Base):
    """A statement of an operator's own account, as its file says: `sha256` is the file's, `position` where in it.

    Balances are signed cents; opening and entries make closing, or it was refused. `lines` were new in it, `ignored`
    were known from an earlier one, not booked yet, or in a foreign currency.
    """

    __tablename__ = "bank_statement"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    sha256: Mapped[str]
    position: Mapped[int] = mapped_column(Integer)
    format: Mapped[str]
    reference: Mapped[str]
    from_day: Mapped[date | None]
    until_day: Mapped[date | None]
    currency: Mapped[str]
    opening_cents: Mapped[int]
    closing_cents: Mapped[int]
    lines: Mapped[int] = mapped_column(Integer)
    ignored: Mapped[int] = mapped_column(Integer, server_default="0")
    imported_at: Mapped[datetime] = mapped_column(server_default=func.now())
    imported_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    __table_args__ = (
        UniqueConstraint("operator_id", "sha256", "position"),
        Index("ix_bank_statement_operator_id_id", "operator_id", "id"),
    )


@seen(by_books)
class BankLine(Base):
    """One movement: an entry of a statement, or one transaction of an entry that batches several.

    Cents are signed: credit > 0. `key` is what makes it the same in every statement that shows it, once per operator.
    Names, numbers and texts are the accounting evidence, shown to who keeps the books and to nobody else. `rule` and
    `reasons` say why it is in its `state`; `payment_id` is what it became, `party_id` whose money it was.
    """

    __tablename__ = "bank_line"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    statement_id: Mapped[int] = mapped_column(ForeignKey("bank_statement.id"), index=True)
    key: Mapped[str]
    position: Mapped[int] = mapped_column(Integer)
    booked_on: Mapped[date]
    cents: Mapped[int]
    currency: Mapped[str]
    code: Mapped[str] = mapped_column(server_default="")
    is_reversal: Mapped[bool] = mapped_column(server_default="false")
    return_reason: Mapped[str | None]
    end_to_end_id: Mapped[str | None]
    bank_ref: Mapped[str | None]
    structured: Mapped[str | None]
    remittance: Mapped[str] = mapped_column(server_default="")
    counterparty_name: Mapped[str | None]
    counterparty_iban: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="open")
    rule: Mapped[str] = mapped_column(server_default="")
    reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"), index=True)
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    note: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        UniqueConstraint("operator_id", "key"),
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        CheckConstraint("cents <> 0", name="cents"),
        CheckConstraint("state <> 'dismissed' OR note <> ''", name="note"),
        Index("ix_bank_line_operator_id_id", "operator_id", "id"),
        Index("ix_bank_line_to_decide", "operator_id", "id",
              postgresql_where=text("state IN ('proposed', 'open')")),
        Index("ix_bank_line_counterparty", "operator_id", "counterparty_iban",
              postgresql_where=text("party_id IS NOT NULL AND counterparty_iban IS NOT NULL")),
        Index("ix_bank_line_end_to_end_id", "operator_id", "end_to_end_id",
              postgresql_where=text("end_to_end_id IS NOT NULL")),
        Index("ix_bank_line_bank_ref", "operator_id", "bank_ref", postgresql_where=text("bank_ref IS NOT NULL")),
    )  # fmt: skip


@seen(by_books)
class BankProposal(Base):
    """What a line may be, with reasons and a certainty in percent: for a person to accept or to reject.

    `aims` are pairs of an invoice's internal id and cents.
    """

    __tablename__ = "bank_proposal"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    line_id: Mapped[int] = mapped_column(ForeignKey("bank_line.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    certainty: Mapped[int] = mapped_column(Integer)
    reasons: Mapped[list[Any]] = mapped_column(JSONB)
    aims: Mapped[list[Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="open")
    __table_args__ = (
        CheckConstraint("state IN ('open', 'accepted', 'rejected')", name="state"),
        CheckConstraint("certainty BETWEEN 1 AND 99", name="certainty"),
    )
