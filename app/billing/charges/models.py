"""What is owed, a row for each thing supplied; how far each booking is billed; the months. And who sees these."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, column, func, select, table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.db import Base, Key, PublicId
from app.tenancy import Scope, by_the_system, is_own, seen

KINDS = (
    "booking", "fee", "membership", "adjustment", "deposit", "deposit_return", "manual", "late_interest",
    "recovery_fee",
)  # fmt: skip
UNITS = ("hour", "day", "cycle", "piece")

_parties = table("party", column("id"), column("member_id"))


def by_who_owes_and_who_is_owed(entity: Any, scope: Scope) -> ColumnElement[bool]:
    """A charge is seen by who keeps the operator's books, by the member it stands on the account of, and by whoever
    used what it is for."""
    kept = entity.operator_id.in_(scope.books_ids)
    own = select(_parties.c.id).where(is_own(_parties.c.member_id, scope)).scalar_subquery()
    return kept | is_own(entity.member_id, scope) | entity.party_id.in_(own)


@seen(by_who_owes_and_who_is_owed)
class Charge(Base):
    """Something that an operator supplied, or will, and what a party owes it for that; negative is owed back.

    Append-only: a mistake or a change is mended by a further row, which names in `corrects_id` the row it takes back,
    in whole or in part, at that row's own VAT. Only two things are ever added to a row, each once, and a trigger sees
    to it: `earned_on`, the day on which the books take it for income, and `invoice_id`, the document it is on.

    `source` is what it came from, and keeps it from being written twice: `event:<event id>:<n>` or `manual:<uid>`.
    `[service_from, service_until]` are the days of the supply, both counted. `facts` says what it was, in ids, codes
    and numbers: a booking's `resource_kind`, `start` and `end`; of a membership `plan_version_id`, `days`, `of_days`;
    `text` of what staff added. `quantity_milli` is in thousandths of `unit`. `includes_vat` says whether the price was
    agreed with VAT in it: a document then keeps the gross, else the net. `month` is the first day of the month that it
    is to be invoiced with; `late` says that its own month was closed before it came.
    """

    __tablename__ = "charge"
    id: Mapped[Key]
    uid: Mapped[PublicId]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"), index=True)  # who used it
    kind: Mapped[str]
    subject_uid: Mapped[UUID | None] = mapped_column(index=True)  # of the booking or the membership
    source: Mapped[str] = mapped_column(unique=True)
    service_from: Mapped[date]
    service_until: Mapped[date]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    quantity_milli: Mapped[int]
    unit: Mapped[str]
    currency: Mapped[str]
    net_cents: Mapped[int]
    vat_cents: Mapped[int]
    gross_cents: Mapped[int]
    vat_permille: Mapped[int] = mapped_column(Integer)
    vat_category: Mapped[str]
    vat_ground: Mapped[str]
    vat_mention: Mapped[str | None]
    includes_vat: Mapped[bool]
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("charge.id"), index=True)
    earned_on: Mapped[date | None]
    month: Mapped[date]
    late: Mapped[bool] = mapped_column(server_default="false")
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"), index=True)
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name="kind"),
        CheckConstraint(f"unit IN ({', '.join(map(repr, UNITS))})", name="unit"),
        CheckConstraint("net_cents + vat_cents = gross_cents", name="sum"),
        CheckConstraint("quantity_milli > 0", name="quantity"),
        CheckConstraint("service_from <= service_until", name="period"),
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("vat_permille BETWEEN 0 AND 1000", name="vat_permille"),
        Index("ix_charge_unbilled", "operator_id", "month", "party_id", postgresql_where=text("invoice_id IS NULL")),
        Index(
            "ix_charge_open",
            "operator_id",
            "party_id",
            "id",
            postgresql_where=text("invoice_id IS NULL AND settled_at IS NULL"),
        ),
        Index("ix_charge_operator_id_id", "operator_id", "id"),
    )


@seen(by_the_system)
class BilledBooking(Base):
    """A booking as billing knows it from its events, up to the one numbered `seq`.

    Kept because later events (approved, accepted, completed) tell no price. `money_cents` is what of the gross price
    neither credits nor passes cover; `fee_cents` what a cancellation leaves owed. `payer_uid` is the party that pays;
    null is the member as a private person. `vat` is the decision taken when the price was.
    """

    __tablename__ = "billed_booking"
    id: Mapped[Key]
    booking_uid: Mapped[UUID] = mapped_column(unique=True)
    seq: Mapped[int]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    payer_uid: Mapped[UUID | None]
    status: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    resource_kind: Mapped[str | None]
    currency: Mapped[str]
    gross_cents: Mapped[int]
    net_cents: Mapped[int]
    vat_cents: Mapped[int]
    money_cents: Mapped[int]
    fee_cents: Mapped[int] = mapped_column(server_default="0")
    vat: Mapped[dict[str, Any]] = mapped_column(JSONB)
    __table_args__ = (CheckConstraint("net_cents + vat_cents = gross_cents", name="price"),)


@seen(lambda entity, scope: entity.operator_id.in_(scope.books_ids))
class BillingMonth(Base):
    """How far an operator has closed its months. What is charged holds its row's lock in share, a closing alone.

    `closed` is the first day of the last month closed; null before the first. `begins` is the first day of the month
    with which billing begins here: what began before it was billed elsewhere. Null: everything is billed here.
    """

    __tablename__ = "billing_month"
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"), primary_key=True)
    begins: Mapped[date | None]
    closed: Mapped[date | None]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("begins IS NULL OR extract(day FROM begins) = 1", name="begins"),
        CheckConstraint("closed IS NULL OR extract(day FROM closed) = 1", name="closed"),
        CheckConstraint("(closed IS NULL) = (closed_at IS NULL)", name="closed_at"),
    )
