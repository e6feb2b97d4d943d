"""What a quote promised; cancellation terms by class of people; where the VAT of a price list is due.

Forwards while the previous version serves: the new column has a default, and it reads neither new table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _quotes()
    _cancellation()
    op.add_column("price_list", sa.Column("place_of_supply", sa.String(), server_default="IMMOVABLE", nullable=False))
    op.create_check_constraint(
        op.f("ck_price_list_place_of_supply"), "price_list", "place_of_supply IN ('IMMOVABLE', 'GENERAL_B2B')"
    )


def _quotes() -> None:
    op.create_table(
        "quote",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("wish", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("dates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_quote_member_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_quote_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote")),
        sa.UniqueConstraint("uid", name=op.f("uq_quote_uid")),
    )
    op.create_index(op.f("ix_quote_member_id"), "quote", ["member_id"], unique=False)
    op.create_index(op.f("ix_quote_expires_at"), "quote", ["expires_at"], unique=False)


def _cancellation() -> None:
    op.create_table(
        "cancellation_step",
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("hours_before", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.CheckConstraint("audience IN ('network', 'members', 'staff')", name=op.f("ck_cancellation_step_audience")),
        sa.CheckConstraint("hours_before >= 0 AND percent BETWEEN 0 AND 100", name=op.f("ck_cancellation_step_step")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_cancellation_step_resource_id")),
        sa.PrimaryKeyConstraint("resource_id", "audience", "hours_before", name=op.f("pk_cancellation_step")),
    )
    op.execute(
        "CREATE TRIGGER touch_space AFTER INSERT OR UPDATE OR DELETE ON cancellation_step FOR EACH ROW "
        "EXECUTE FUNCTION touch_space_by_resource()"
    )
