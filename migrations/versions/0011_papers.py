"""Documents as people receive them: their PDFs, and how an operator wants them to look."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    default = None if nullable else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def upgrade() -> None:
    op.create_table(
        "paper",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), server_default="wanted", nullable=False),
        _instant("wanted_at"),
        _instant("due_at"),
        _instant("claimed_until", nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("look", postgresql.JSONB(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("drawn_by", sa.String(), nullable=True),
        _instant("rendered_at", nullable=True),
        sa.CheckConstraint("state IN ('wanted', 'drawing', 'drawn', 'failed')", name=op.f("ck_paper_state")),
        sa.CheckConstraint(
            "state <> 'drawn' OR num_nonnulls(look, sha256, size, drawn_by, rendered_at) = 5",
            name=op.f("ck_paper_drawn"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_paper_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_paper")),
    )
    to_draw = sa.text("state IN ('wanted', 'drawing')")
    op.create_index("ix_paper_to_draw", "paper", ["due_at", "invoice_id"], postgresql_where=to_draw)
    op.create_index("ix_paper_failed", "paper", ["state"], postgresql_where=sa.text("state = 'failed'"))
    op.create_table(
        "operator_branding",
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("accent", sa.String(), nullable=False),
        sa.Column("logo", sa.String(), nullable=True),
        sa.Column("text", sa.String(), server_default="", nullable=False),
        _instant("changed_at"),
        sa.CheckConstraint("accent ~ '^#[0-9a-f]{6}$'", name=op.f("ck_operator_branding_accent")),
        sa.CheckConstraint("logo ~ '^[0-9a-f]{64}$'", name=op.f("ck_operator_branding_logo")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_operator_branding_operator_id")),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_operator_branding")),
    )
