"""What is owed before there is a document, how far each booking is billed, and the months that are closed.

For operators that are there already, billing begins with the running month: what began before it was billed by
whatever they used then.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = "'booking', 'fee', 'membership', 'adjustment', 'deposit', 'deposit_return', 'manual'"

# What was written stays; the two things that are added later are added once.
APPEND_ONLY = """
    CREATE FUNCTION keep_charge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE'
           AND (to_jsonb(NEW) - 'earned_on' - 'invoice_id') = (to_jsonb(OLD) - 'earned_on' - 'invoice_id')
           AND (OLD.earned_on IS NULL OR NEW.earned_on IS NOT DISTINCT FROM OLD.earned_on)
           AND (OLD.invoice_id IS NULL OR NEW.invoice_id IS NOT DISTINCT FROM OLD.invoice_id)
        THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'charge % is never changed or deleted', OLD.id USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER keep_charge BEFORE UPDATE OR DELETE ON charge FOR EACH ROW EXECUTE FUNCTION keep_charge();
    CREATE FUNCTION keep_charges() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'charges are never deleted' USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER keep_charges BEFORE TRUNCATE ON charge FOR EACH STATEMENT EXECUTE FUNCTION keep_charges()
"""


def upgrade() -> None:
    _months()
    _bookings()
    _charges()
    op.execute(APPEND_ONLY)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _int(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _day(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _months() -> None:
    op.create_table(
        "billing_month",
        _int("operator_id"),
        _day("begins", nullable=True),
        _day("closed", nullable=True),
        _instant("closed_at", nullable=True),
        _check("billing_month", "begins", "begins IS NULL OR extract(day FROM begins) = 1"),
        _check("billing_month", "closed", "closed IS NULL OR extract(day FROM closed) = 1"),
        _check("billing_month", "closed_at", "(closed IS NULL) = (closed_at IS NULL)"),
        _key("billing_month", "operator_id", "operator"),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_billing_month")),
    )
    op.execute(
        "INSERT INTO billing_month (operator_id, begins)"
        " SELECT id, date_trunc('month', now() AT TIME ZONE 'Europe/Brussels')::date FROM operator"
    )


def _bookings() -> None:
    op.create_table(
        "billed_booking",
        _id(),
        sa.Column("booking_uid", sa.Uuid(), nullable=False),
        _int("seq"),
        _int("operator_id"),
        _int("space_id"),
        _int("member_id"),
        sa.Column("payer_uid", sa.Uuid(), nullable=True),
        _text("status"),
        _instant("starts_at"),
        _instant("ends_at"),
        _text("resource_kind", nullable=True),
        _text("currency"),
        _int("gross_cents"),
        _int("net_cents"),
        _int("vat_cents"),
        _int("money_cents"),
        _int("fee_cents", default="0"),
        sa.Column("vat", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _check("billed_booking", "price", "net_cents + vat_cents = gross_cents"),
        _key("billed_booking", "operator_id", "operator"),
        _key("billed_booking", "space_id", "space"),
        _key("billed_booking", "member_id", "member"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billed_booking")),
        sa.UniqueConstraint("booking_uid", name=op.f("uq_billed_booking_booking_uid")),
    )


def _charges() -> None:
    op.create_table(
        "charge",
        _id(),
        sa.Column("uid", sa.Uuid(), nullable=False),
        _int("operator_id"),
        _int("space_id", nullable=True),
        _int("party_id"),
        _int("member_id", nullable=True),
        _text("kind"),
        sa.Column("subject_uid", sa.Uuid(), nullable=True),
        _text("source"),
        _day("service_from"),
        _day("service_until"),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        _int("quantity_milli"),
        _text("unit"),
        _text("currency"),
        _int("net_cents"),
        _int("vat_cents"),
        _int("gross_cents"),
        sa.Column("vat_permille", sa.Integer(), nullable=False),
        _text("vat_category"),
        _text("vat_ground"),
        _text("vat_mention", nullable=True),
        sa.Column("includes_vat", sa.Boolean(), nullable=False),
        _int("corrects_id", nullable=True),
        _day("earned_on", nullable=True),
        _day("month"),
        sa.Column("late", sa.Boolean(), server_default="false", nullable=False),
        _int("invoice_id", nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _check("charge", "kind", f"kind IN ({KINDS})"),
        _check("charge", "unit", "unit IN ('hour', 'day', 'cycle', 'piece')"),
        _check("charge", "sum", "net_cents + vat_cents = gross_cents"),
        _check("charge", "quantity", "quantity_milli > 0"),
        _check("charge", "period", "service_from <= service_until"),
        _check("charge", "month", "extract(day FROM month) = 1"),
        _check("charge", "vat_permille", "vat_permille BETWEEN 0 AND 1000"),
        _key("charge", "operator_id", "operator"),
        _key("charge", "space_id", "space"),
        _key("charge", "party_id", "party"),
        _key("charge", "member_id", "member"),
        _key("charge", "corrects_id", "charge"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge")),
        sa.UniqueConstraint("uid", name=op.f("uq_charge_uid")),
        sa.UniqueConstraint("source", name=op.f("uq_charge_source")),
    )
    for column in ("party_id", "member_id", "subject_uid", "corrects_id", "invoice_id"):
        op.create_index(op.f(f"ix_charge_{column}"), "charge", [column], unique=False)
    op.create_index(
        "ix_charge_unbilled",
        "charge",
        ["operator_id", "month", "party_id"],
        postgresql_where=sa.text("invoice_id IS NULL"),
    )
    op.create_index("ix_charge_operator_id_id", "charge", ["operator_id", "id"], unique=False)
