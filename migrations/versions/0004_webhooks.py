"""Webhooks: receivers, their secrets, and every delivery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
OPEN = sa.text("state IN ('pending', 'failed', 'sending')")
LIVE = sa.text("archived_at IS NULL")


def _instant(name: str, *, nullable: bool = False, default: sa.TextClause | None = None) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=True),
        sa.Column("network_id", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.String(), server_default="active", nullable=False),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        _instant("disabled_at", nullable=True),
        _instant("failing_since", nullable=True),
        sa.Column("event_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        _instant("created_at", default=NOW),
        _instant("archived_at", nullable=True),
        sa.CheckConstraint("num_nonnulls(operator_id, network_id) = 1", name=op.f("ck_webhook_one_holder")),
        sa.CheckConstraint(
            "(state = 'disabled') = (disabled_reason IS NOT NULL)", name=op.f("ck_webhook_disabled_reason")
        ),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f("ck_webhook_state")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_webhook_operator_id")),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_webhook_network_id")),
        sa.ForeignKeyConstraint(["created_by"], ["member.id"], name=op.f("fk_webhook_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("uid", name=op.f("uq_webhook_uid")),
    )
    op.create_index("ix_webhook_operator_id", "webhook", ["operator_id"], postgresql_where=LIVE)
    op.create_index("ix_webhook_network_id", "webhook", ["network_id"], postgresql_where=LIVE)
    op.create_table(
        "webhook_secret",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        _instant("created_at", default=NOW),
        _instant("expires_at", nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_secret_webhook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secret")),
        sa.UniqueConstraint("uid", name=op.f("uq_webhook_secret_uid")),
    )
    op.create_index("ix_webhook_secret_webhook_id", "webhook_secret", ["webhook_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent", sa.Integer(), server_default="0", nullable=False),
        _instant("next_attempt_at"),
        _instant("claimed_until", nullable=True),
        _instant("delivered_at", nullable=True),
        _instant("created_at", default=NOW),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'delivered', 'failed', 'given_up', 'cancelled')",
            name=op.f("ck_webhook_delivery_state"),
        ),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("uid", name=op.f("uq_webhook_delivery_uid")),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f("uq_webhook_delivery_webhook_id_event_id")),
    )
    op.create_index(
        "ix_webhook_delivery_webhook_id_next_attempt_at",
        "webhook_delivery",
        ["webhook_id", "next_attempt_at"],
        postgresql_where=OPEN,
    )
    op.create_index("ix_webhook_delivery_webhook_id_id", "webhook_delivery", ["webhook_id", "id"])
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _instant("at", default=NOW),
        sa.Column("url", sa.String(), server_default="", nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("request_headers", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("response_headers", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("response_body", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["webhook_delivery.id"], name=op.f("fk_webhook_attempt_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempt")),
    )
    op.create_index("ix_webhook_attempt_delivery_id", "webhook_attempt", ["delivery_id"])
