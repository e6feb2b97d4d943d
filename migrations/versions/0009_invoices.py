"""Documents: what was finalised, the series they are numbered in, and what an operator's documents say of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _invoices()
    _series()
    _letterheads()
    _charges()
    _never_changed()
    _what_settles()


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _day(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=nullable)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _invoices() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        *(_number(name) for name in ("operator_id", "party_id")),
        *(_text(name) for name in ("kind", "series")),
        _number("sequence"),
        _text("number"),
        *(_day(name) for name in ("issued_on", "due_on")),
        *(_day(name, nullable=True) for name in ("period_from", "period_until")),
        _text("currency"),
        *(_number(name) for name in ("net_cents", "vat_cents", "gross_cents")),
        _number("corrects_id", nullable=True),
        _text("communication"),
        sa.Column("snapshot", sa.Text(), nullable=False),
        *(_text(name) for name in ("hash", "previous_hash", "run_key")),
        sa.Column("finalised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_seq", sa.BigInteger(), server_default="1", nullable=False),
        _check("invoice", "kind", "kind IN ('monthly', 'now', 'deposit', 'credit_note')"),
        _check("invoice", "sum", "net_cents + vat_cents = gross_cents"),
        _check("invoice", "corrects", "(kind = 'credit_note') = (corrects_id IS NOT NULL)"),
        _check("invoice", "sequence", "sequence >= 1"),
        _key("invoice", "operator_id", "operator"),
        _key("invoice", "party_id", "party"),
        _key("invoice", "corrects_id", "invoice"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("uid", name=op.f("uq_invoice_uid")),
        sa.UniqueConstraint("run_key", name=op.f("uq_invoice_run_key")),
        sa.UniqueConstraint("operator_id", "series", "sequence", name=op.f("uq_invoice_operator_id_series_sequence")),
        sa.UniqueConstraint("operator_id", "number", name=op.f("uq_invoice_operator_id_number")),
    )
    op.create_index("ix_invoice_operator_id_id", "invoice", ["operator_id", "id"])
    op.create_index("ix_invoice_party_id_id", "invoice", ["party_id", "id"])
    op.create_index("ix_invoice_corrects_id", "invoice", ["corrects_id"])


def _series() -> None:
    op.create_table(
        "invoice_series",
        _number("operator_id"),
        *(_text(name) for name in ("series", "prefix")),
        sa.Column("last_sequence", sa.BigInteger(), server_default="0", nullable=False),
        _text("last_hash"),
        _day("last_issued_on"),
        _key("invoice_series", "operator_id", "operator"),
        sa.PrimaryKeyConstraint("operator_id", "series", name=op.f("pk_invoice_series")),
    )


def _letterheads() -> None:
    op.create_table(
        "letterhead",
        _number("operator_id"),
        *(_text(name) for name in ("prefix", "street", "postcode", "town")),
        sa.Column("terms_days", sa.Integer(), server_default="30", nullable=False),
        _check("letterhead", "prefix", "prefix ~ '^[A-Z0-9]{1,8}$'"),
        _check("letterhead", "terms_days", "terms_days BETWEEN 0 AND 60"),
        _key("letterhead", "operator_id", "operator"),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_letterhead")),
    )


def _charges() -> None:
    """What was charged points to the document it is on, or was settled without one because it cancels out."""
    op.add_column("charge", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("fk_charge_invoice_id"), "charge", "invoice", ["invoice_id"], ["id"])
    op.create_index(
        "ix_charge_open",
        "charge",
        ["operator_id", "party_id", "id"],
        postgresql_where=sa.text("invoice_id IS NULL AND settled_at IS NULL"),
    )
    # Compared as rows: written out as JSON, the comparison took longer than all else that a document's writing does.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION keep_charge() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            was charge := OLD;
        BEGIN
            was.earned_on := NEW.earned_on;
            was.invoice_id := NEW.invoice_id;
            was.settled_at := NEW.settled_at;
            IF TG_OP = 'UPDATE' AND was IS NOT DISTINCT FROM NEW
               AND (OLD.earned_on IS NULL OR NEW.earned_on IS NOT DISTINCT FROM OLD.earned_on)
               AND (OLD.invoice_id IS NULL OR NEW.invoice_id IS NOT DISTINCT FROM OLD.invoice_id)
               AND (OLD.settled_at IS NULL OR NEW.settled_at IS NOT DISTINCT FROM OLD.settled_at)
               AND (NEW.invoice_id IS NULL OR NEW.settled_at IS NULL)
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'charge % is never changed or deleted', OLD.id USING ERRCODE = 'restrict_violation';
        END $$
        """
    )


def _never_changed() -> None:
    """All of a document stays as it is but when it was sent, said once, and the count of its events."""
    op.execute(
        """
        CREATE FUNCTION invoice_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE'
               AND to_jsonb(NEW) - 'sent_at' - 'event_seq' = to_jsonb(OLD) - 'sent_at' - 'event_seq'
               AND NEW.event_seq >= OLD.event_seq
               AND (OLD.sent_at IS NULL OR NEW.sent_at IS NOT DISTINCT FROM OLD.sent_at) THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'a finalised document is neither changed nor removed: correct it by a credit note'
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER invoice_is_final BEFORE UPDATE OR DELETE ON invoice "
        "FOR EACH ROW EXECUTE FUNCTION invoice_is_final()"
    )
    op.execute(
        "CREATE TRIGGER invoices_are_final BEFORE TRUNCATE ON invoice "
        "FOR EACH STATEMENT EXECUTE FUNCTION invoice_is_final()"
    )


def _what_settles() -> None:
    """What of an invoice needs no paying any more, in cents: today its credit notes; payments will be added here."""
    op.execute(
        """
        CREATE VIEW invoice_settlement AS
        SELECT corrects_id AS invoice_id, CAST(sum(gross_cents) AS bigint) AS settled_cents
        FROM invoice WHERE corrects_id IS NOT NULL GROUP BY corrects_id
        """
    )
