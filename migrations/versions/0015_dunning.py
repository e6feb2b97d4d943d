"""Reminders: each operator's schedule, what was done by it, and what was stopped; bookings that are suspended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KINDS = (
    "booking", "fee", "membership", "adjustment", "deposit", "deposit_return", "manual", "late_interest",
    "recovery_fee",
)  # fmt: skip


def _instant(name: str, *, nullable: bool = False, now: bool = False) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=nullable, server_default=sa.text("now()") if now else None
    )


def _ref(name: str, table: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _cents(name: str, *, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=default)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    _policies()
    _acts()
    _stops()
    _suspensions()
    _kinds_of_charges()


def _policies() -> None:
    op.create_table(
        "dunning_policy",
        sa.Column("operator_id", sa.BigInteger(), sa.ForeignKey("operator.id"), primary_key=True, autoincrement=False),
        sa.Column("active", sa.Boolean(), nullable=False, server_default="false"),
        sa.Column("steps", postgresql.JSONB(), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=True),
        sa.Column("consumers_agreed", sa.Boolean(), nullable=False, server_default="false"),
        _cents("least_cents", default="100"),
        sa.Column("retry_days", postgresql.JSONB(), nullable=False, server_default="[3, 7]"),
        _instant("changed_at", now=True),
        _check("dunning_policy", "basis_points", "basis_points BETWEEN 0 AND 3000"),
        _check("dunning_policy", "least_cents", "least_cents >= 0"),
    )


def _acts() -> None:
    op.create_table(
        "dunning_act",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("uid", sa.Uuid(), nullable=False, unique=True),
        _ref("operator_id", "operator"),
        _ref("invoice_id", "invoice"),
        sa.Column("no", sa.Integer(), nullable=False),
        _text("action"),
        sa.Column("day", sa.Date(), nullable=False),
        _cents("open_cents"),
        _cents("interest_cents"),
        _cents("compensation_cents"),
        _text("currency"),
        _text("ground", nullable=True),
        _instant("done_at"),
        sa.UniqueConstraint("invoice_id", "no", name=op.f("uq_dunning_act_invoice_id_no")),
        _check("dunning_act", "action", "action IN ('reminder', 'formal_notice', 'suspension')"),
        _check("dunning_act", "open_cents", "open_cents > 0"),
        _check("dunning_act", "claimed", "interest_cents >= 0 AND compensation_cents >= 0"),
    )
    op.create_index("ix_dunning_act_operator_id_id", "dunning_act", ["operator_id", "id"])


def _stops() -> None:
    op.create_table(
        "dunning_stop",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("uid", sa.Uuid(), nullable=False, unique=True),
        _ref("operator_id", "operator"),
        _ref("party_id", "party", nullable=True),
        _ref("invoice_id", "invoice", nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        _text("reason"),
        _ref("stopped_by_id", "member"),
        _instant("stopped_at"),
        _instant("lifted_at", nullable=True),
        _check("dunning_stop", "what", "num_nonnulls(party_id, invoice_id) <= 1"),
    )
    standing = sa.text("lifted_at IS NULL")
    op.create_index("ix_dunning_stop_standing", "dunning_stop", ["operator_id"], postgresql_where=standing)


def _suspensions() -> None:
    op.create_table(
        "booking_suspension",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("uid", sa.Uuid(), nullable=False, unique=True),
        _ref("operator_id", "operator"),
        _ref("member_id", "member"),
        _text("source"),
        _instant("since"),
        _instant("lifted_at", nullable=True),
        sa.UniqueConstraint("source", name=op.f("uq_booking_suspension_source")),
    )
    standing = sa.text("lifted_at IS NULL")
    op.create_index(
        "ix_booking_suspension_standing", "booking_suspension", ["member_id", "operator_id"], postgresql_where=standing
    )


def _kinds_of_charges() -> None:
    """Two more kinds. The check is put back without looking at the rows, which all passed a narrower one, so that nobody
    waits for a look at each; 0021 looks, beside those who write."""
    kinds = ", ".join(map(repr, KINDS))
    op.drop_constraint(op.f("ck_charge_kind"), "charge", type_="check")
    op.execute(f"ALTER TABLE charge ADD CONSTRAINT ck_charge_kind CHECK (kind IN ({kinds})) NOT VALID")
