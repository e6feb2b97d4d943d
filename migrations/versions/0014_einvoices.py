"""Electronic invoices: what was made of a document, whom it was handed to, and what they answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FORMATS = "'peppol', 'ubl-fr', 'factur-x', 'ubl', 'cii'"
STATES = "'wanted', 'made', 'handed_over', 'delivered', 'accepted', 'rejected', 'failed'"


def _instant(name: str, *, nullable: bool = True, now: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def upgrade() -> None:
    _einvoice()
    op.create_table(
        "einvoice_step",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("einvoice_id", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), server_default="", nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        _instant("at", nullable=False),
        sa.ForeignKeyConstraint(["einvoice_id"], ["einvoice.id"], name=op.f("fk_einvoice_step_einvoice_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_einvoice_step_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_einvoice_step")),
        sa.UniqueConstraint("einvoice_id", "key", name=op.f("uq_einvoice_step_einvoice_id_key")),
    )
    op.create_index("ix_einvoice_step_operator_id_id", "einvoice_step", ["operator_id", "id"])
    op.create_table(
        "einvoicing",
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("peppol_from", sa.Date(), nullable=True),
        sa.Column("platform_from", sa.Date(), nullable=True),
        sa.Column("platform_format", sa.String(), server_default="ubl-fr", nullable=False),
        _instant("changed_at", nullable=False, now=True),
        sa.CheckConstraint("platform_format IN ('ubl-fr', 'factur-x')", name=op.f("ck_einvoicing_platform_format")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_einvoicing_operator_id")),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_einvoicing")),
    )


def _einvoice() -> None:
    op.create_table(
        "einvoice",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=True),
        sa.Column("state", sa.String(), server_default="wanted", nullable=False),
        sa.Column("round", sa.Integer(), server_default="1", nullable=False),
        _instant("due_at", now=True),
        _instant("claimed_until"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("made_by", sa.String(), nullable=True),
        _instant("made_at"),
        _instant("handed_over_at"),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(f"format IN ({FORMATS})", name=op.f("ck_einvoice_format")),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_einvoice_state")),
        sa.CheckConstraint("route IN ('peppol', 'platform')", name=op.f("ck_einvoice_route")),
        sa.CheckConstraint(
            "state IN ('wanted', 'failed') OR num_nonnulls(sha256, size, made_by, made_at) = 4",
            name=op.f("ck_einvoice_made"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_einvoice_invoice_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_einvoice_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_einvoice")),
        sa.UniqueConstraint("uid", name=op.f("uq_einvoice_uid")),
        sa.UniqueConstraint("invoice_id", "format", name=op.f("uq_einvoice_invoice_id_format")),
    )
    op.create_index("ix_einvoice_operator_id_id", "einvoice", ["operator_id", "id"])
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_einvoice_due", "einvoice", ["due_at", "id"], postgresql_where=due)
    unanswered = sa.text("state IN ('handed_over', 'rejected', 'failed')")
    op.create_index("ix_einvoice_unanswered", "einvoice", ["state"], postgresql_where=unanswered)
