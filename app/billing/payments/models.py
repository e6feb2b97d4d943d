"""Payments, what is given back of them, the evidence for both, and what they pay: the rows, and who sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    column,
    func,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.billing.invoices.models import by_books, by_customer_and_books
from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_everyone, by_the_system, is_own, seen

KINDS = ("card", "bancontact", "sepa_debit", "any", "transfer", "debit", "cash", "terminal")
STATES = ("requested", "action_needed", "unknown", "settled", "failed")
MODES = ("received", "automatic", "present", "hosted")

_parties = table("party", column("id"), column("member_id"), column("employer_id"))
_payments = table("payment", column("id"), column("party_id"))


def by_its_payment(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """Seen by whoever sees the payment that it belongs to."""
    row = _parties.c
    own = select(row.id).where(or_(is_own(row.member_id, scope), row.employer_id.in_(scope.employer_ids)))
    paid = select(_payments.c.id).where(_payments.c.party_id.in_(own.scalar_subquery()))
    return entity.operator_id.in_(scope.books_ids) | entity.payment_id.in_(paid.scalar_subquery())


@seen(by_everyone)
class PaymentAccount(Base):
    """How an operator is paid, beside its IBAN. Without a row: by transfer and at the desk. Payers ask too; what they
    are shown of it schemas decide.

    `provider_mode` is `own` where the provider's key belongs to this operator, `connected` where payments are taken by
    the key's account and transferred to the operator's own, `provider_account`. `creditor_identifier` is the SEPA one.
    """

    __tablename__ = "payment_account"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(server_default="")
    bic: Mapped[str | None]
    creditor_identifier: Mapped[str | None]
    provider_mode: Mapped[str] = mapped_column(server_default="none")
    provider_account: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("provider_mode IN ('none', 'own', 'connected')", name="provider_mode"),
        CheckConstraint("(provider_mode = 'connected') = (provider_account IS NOT NULL)", name="provider_account"),
    )


@seen(by_customer_and_books)
class PaymentMethod(Base):
    """A means of payment that a party saved with the provider. We keep its references, never its number.

    `label` is what the party knows it by (a brand and the last four digits). `automatic` is the one that invoices of
    the operator are paid with by themselves; a party has at most one with each operator. `mode` says where it is saved:
    `present` with a client secret, `hosted` on the provider's page.
    """

    __tablename__ = "payment_method"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    provider: Mapped[str]
    kind: Mapped[str]
    label: Mapped[str] = mapped_column(server_default="")
    provider_customer: Mapped[str | None]
    provider_method: Mapped[str | None]
    provider_setup: Mapped[str | None]
    mandate: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="pending")
    automatic: Mapped[bool] = mapped_column(server_default="false")
    mode: Mapped[str] = mapped_column(server_default="hosted")
    return_url: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    active_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    looks: Mapped[int] = mapped_column(Integer, server_default="0")
    claimed_until: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(Integer, server_default="0")
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'active', 'revoked')", name="state"),
        CheckConstraint("kind IN ('card', 'bancontact', 'sepa_debit')", name="kind"),
        Index("ix_payment_method_party_id", "party_id", "operator_id"),
        Index("ix_payment_method_to_look", "next_look_at", "id", postgresql_where=text("next_look_at IS NOT NULL")),
        Index("uq_payment_method_automatic", "operator_id", "party_id", unique=True,
              postgresql_where=text("automatic AND state = 'active'")),
    )  # fmt: skip


@seen(by_customer_and_books)
class Payment(Base):
    """Money that a party was asked for, or that came by itself (a transfer, cash): one row, one claim on the payer.

    `requested` and `action_needed` (the payer must do something) are open, `unknown` is open too: the provider's answer
    was never heard, and is looked up, never assumed. `settled` and `failed` are ends. What came is `settled_cents`, it
    may differ from `amount_cents`. Refunds and disputes are rows of their own; what it pays are allocations.

    `source` names what asked for it and keeps it from being asked twice; `uid` is the idempotency key towards the
    provider. A further attempt after a known failure is a new row, `retries_id` its predecessor. `claims` counts and
    fences who is talking to the provider about it until `claimed_until`; `next_look_at` is when that is due.
    `mode` says how: `received` (it came), `automatic` (saved means, payer absent), `present` (the payer is here, a
    client secret), `hosted` (the provider's page). `booking_uid` is the booking that is held until it settles.
    `transfer_ref` is what the provider calls the transfer of it to an operator's own account (mode `connected`).
    """

    __tablename__ = "payment"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    source: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[str]
    kind: Mapped[str]
    amount_cents: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="requested")
    mode: Mapped[str] = mapped_column(server_default="received")
    payment_method_id: Mapped[int | None] = mapped_column(ForeignKey("payment_method.id"))
    booking_uid: Mapped[UUID | None] = mapped_column(index=True)
    retries_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"), index=True)
    provider_ref: Mapped[str | None]
    return_url: Mapped[str | None]
    failure_code: Mapped[str | None]
    transfer_ref: Mapped[str | None]
    settled_cents: Mapped[int] = mapped_column(server_default="0")
    fee_cents: Mapped[int] = mapped_column(server_default="0")
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    looks: Mapped[int] = mapped_column(Integer, server_default="0")
    claimed_until: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(Integer, server_default="0")
    event_seq: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name="kind"),
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        CheckConstraint(f"mode IN ({', '.join(map(repr, MODES))})", name="mode"),
        CheckConstraint("amount_cents > 0", name="amount"),
        CheckConstraint("(state = 'settled') = (settled_at IS NOT NULL)", name="settled"),
        CheckConstraint("(state = 'failed') = (failed_at IS NOT NULL)", name="failed"),
        CheckConstraint("settled_cents >= 0 AND (settled_cents = 0 OR state = 'settled')", name="settled_cents"),
        Index("ix_payment_operator_id_id", "operator_id", "id"),
        Index("ix_payment_party_id_id", "party_id", "id"),
        Index("uq_payment_provider_ref", "provider", "provider_ref", unique=True,
              postgresql_where=text("provider_ref IS NOT NULL")),
        Index("ix_payment_to_look", "next_look_at", "id", postgresql_where=text("next_look_at IS NOT NULL")),
    )  # fmt: skip


@seen(by_the_system)
class PaymentAim(Base):
    """What a payment was asked for: so much of an invoice. What it pays in the end is in its allocations."""

    __tablename__ = "payment_aim"
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), primary_key=True, autoincrement=False)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True, autoincrement=False, index=True)
    cents: Mapped[int]
    __table_args__ = (CheckConstraint("cents > 0", name="cents"),)


@seen(by_its_payment)
class Refund(Base):
    """Money of a settled payment that goes back to where it came from; never more than came (a trigger sees to it).

    `source` names what asked for it, and keeps it from being given twice; `uid` is the idempotency key towards the
    provider.
    """

    __tablename__ = "refund"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), index=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    source: Mapped[str] = mapped_column(unique=True)
    amount_cents: Mapped[int]
    currency: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="requested")
    provider_ref: Mapped[str | None]
    failure_code: Mapped[str | None]
    reversal_ref: Mapped[str | None]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    looks: Mapped[int] = mapped_column(Integer, server_default="0")
    claimed_until: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(Integer, server_default="0")
    __table_args__ = (
        CheckConstraint("state IN ('requested', 'unknown', 'settled', 'failed')", name="state"),
        CheckConstraint("amount_cents > 0", name="amount"),
        CheckConstraint("(state = 'settled') = (settled_at IS NOT NULL)", name="settled"),
        CheckConstraint("(state = 'failed') = (failed_at IS NOT NULL)", name="failed"),
        Index("ix_refund_operator_id_id", "operator_id", "id"),
        Index("ix_refund_to_look", "next_look_at", "id", postgresql_where=text("next_look_at IS NOT NULL")),
    )


@seen(by_its_payment)
class Dispute(Base):
    """A payer contests a payment with their bank: the provider takes the money back until it is decided."""

    __tablename__ = "dispute"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), index=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    provider_ref: Mapped[str] = mapped_column(unique=True)
    amount_cents: Mapped[int]
    fee_cents: Mapped[int] = mapped_column(server_default="0")
    currency: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="open")
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('open', 'won', 'lost')", name="state"),
        CheckConstraint("amount_cents > 0", name="amount"),
    )


@seen(by_books)
class ProviderCall(Base):
    """One call to a provider and what it answered: written before it is made, completed when the answer is heard.

    Without card or bank numbers, secrets or names. `no_answer` is a time-out or a line that broke: it may have had its
    effect all the same.
    """

    __tablename__ = "provider_call"
    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    payment_method_id: Mapped[int | None] = mapped_column(ForeignKey("payment_method.id"))
    verb: Mapped[str]
    idempotency_key: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    answered_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(server_default="asked")
    status: Mapped[int | None] = mapped_column(Integer)
    request: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    __table_args__ = (
        CheckConstraint("outcome IN ('asked', 'answered', 'refused', 'no_answer')", name="outcome"),
        Index("ix_provider_call_payment_id", "payment_id", "id"),
        Index("ix_provider_call_refund_id", "refund_id", "id"),
        Index("ix_provider_call_payment_method_id", "payment_method_id", "id"),
    )


@seen(by_the_system)
class ProviderNotice(Base):
    """What a provider told by itself: stored once under the provider's own id, then processed as an event.

    It is never believed: `object_ref` names what is to be looked up at the provider.
    """

    __tablename__ = "provider_notice"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    provider: Mapped[str]
    notice_id: Mapped[str]
    type: Mapped[str]
    object_ref: Mapped[str | None]
    account: Mapped[str | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(server_default="stored")
    done_at: Mapped[datetime | None]
    event_seq: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        UniqueConstraint("provider", "notice_id"),
        CheckConstraint("state IN ('stored', 'done', 'ignored')", name="state"),
    )


@seen(by_its_payment)
class Allocation(Base):
    """So much of a payment pays so much of an invoice. Append-only: its opposite undoes it (a trigger sees to it)."""

    __tablename__ = "allocation"
    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), index=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    cents: Mapped[int]
    source: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (CheckConstraint("cents <> 0", name="cents"),)


@seen(by_books)
class MoneyTask(Base):
    """Something about money that a person must look at, once: `key` says what it is about. Closed with a note."""

    __tablename__ = "money_task"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    cents: Mapped[int]
    currency: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    closed_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    note: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        Index("ix_money_task_operator_id_id", "operator_id", "id"),
        Index("ix_money_task_open", "operator_id", "id", postgresql_where=text("closed_at IS NULL")),
    )
