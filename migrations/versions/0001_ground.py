"""Networks, people, what can be booked, bookings, calendars, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_stamp",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "scope_id", name=op.f("pk_calendar_stamp")),
    )
    op.create_table(
        "cursor",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("aggregate_type", sa.String(), nullable=False),
        sa.Column("aggregate_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("parked_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("consumer", "aggregate_type", "aggregate_id", name=op.f("pk_cursor")),
    )
    op.create_table(
        "delivery",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("aggregate_type", sa.String(), nullable=False),
        sa.Column("aggregate_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("envelope", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("state IN ('done', 'parked', 'failed', 'dead', 'skipped')", name=op.f("ck_delivery_state")),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_delivery")),
    )
    op.create_index(
        "ix_delivery_waiting",
        "delivery",
        ["consumer", "aggregate_type", "aggregate_id", "seq"],
        unique=False,
        postgresql_where=sa.text("state IN ('parked', 'failed', 'dead')"),
    )
    op.create_index(
        "ix_delivery_next_attempt_at",
        "delivery",
        ["consumer", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_table(
        "subscription",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("aggregate_type", sa.String(), nullable=False),
        sa.Column("after", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "aggregate_type", name=op.f("pk_subscription")),
    )
    op.create_table(
        "demonstration",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_demonstration_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demonstration")),
    )
    op.create_table(
        "due",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject_id", name=op.f("pk_due")),
    )
    op.create_index("ix_due_at", "due", ["at"], unique=False)
    op.create_table(
        "employer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("vat_number", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employer")),
        sa.UniqueConstraint("uid", name=op.f("uq_employer_uid")),
    )
    op.create_table(
        "funder",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funder")),
        sa.UniqueConstraint("uid", name=op.f("uq_funder_uid")),
    )
    op.create_table(
        "network",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network")),
        sa.UniqueConstraint("slug", name=op.f("uq_network_slug")),
        sa.UniqueConstraint("uid", name=op.f("uq_network_uid")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("aggregate_type", sa.String(), nullable=False),
        sa.Column("aggregate_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("envelope", sa.String(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "aggregate_type", "aggregate_id", "seq", name=op.f("uq_outbox_aggregate_type_aggregate_id_seq")
        ),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
    op.create_index(
        "ix_outbox_unpublished", "outbox", ["id"], unique=False, postgresql_where=sa.text("published_at IS NULL")
    )
    op.create_index(
        "ix_outbox_unsettled", "outbox", ["id"], unique=False, postgresql_where=sa.text("settled_at IS NULL")
    )
    op.create_table(
        "member",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("network_id", sa.BigInteger(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), server_default="fr", nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_member_network_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("uid", name=op.f("uq_member_uid")),
    )
    op.create_index("uq_member_email", "member", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "operator",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("network_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("company_number", sa.String(), nullable=False),
        sa.Column("vat_number", sa.String(), nullable=True),
        sa.Column("iban", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), server_default="EUR", nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_operator_network_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sa.UniqueConstraint("company_number", name=op.f("uq_operator_company_number")),
        sa.UniqueConstraint("uid", name=op.f("uq_operator_uid")),
        sa.UniqueConstraint("vat_number", name=op.f("uq_operator_vat_number")),
    )
    op.create_index(op.f("ix_operator_network_id"), "operator", ["network_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), server_default="api", nullable=False),
        sa.Column("name", sa.String(), server_default="", nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{read,write}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_api_token_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_token_secret_hash")),
        sa.UniqueConstraint("uid", name=op.f("uq_api_token_uid")),
    )
    op.create_index(op.f("ix_api_token_member_id"), "api_token", ["member_id"], unique=False)
    op.create_table(
        "booking_series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("recurrence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_booking_series_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_series")),
        sa.UniqueConstraint("uid", name=op.f("uq_booking_series_uid")),
    )
    op.create_table(
        "feed",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('me', 'space', 'resource')", name=op.f("ck_feed_scope")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_feed_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_feed_token_hash")),
        sa.UniqueConstraint("uid", name=op.f("uq_feed_uid")),
    )
    op.create_index(op.f("ix_feed_member_id"), "feed", ["member_id"], unique=False)
    op.create_table(
        "idempotent_answer",
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_idempotent_answer_member_id")),
        sa.PrimaryKeyConstraint("member_id", "method", "path", "key", name=op.f("pk_idempotent_answer")),
    )
    op.create_index(op.f("ix_idempotent_answer_created_at"), "idempotent_answer", ["created_at"], unique=False)
    op.create_table(
        "role_grant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("scope_type", sa.String(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "scope_type IN ('space', 'operator', 'employer', 'network', 'funder', 'platform')",
            name=op.f("ck_role_grant_scope_type"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_role_grant_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint(
            "member_id", "role", "scope_type", "scope_id", name=op.f("uq_role_grant_member_id_role_scope_type_scope_id")
        ),
    )
    op.create_table(
        "space",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("network_id", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("street", sa.String(), server_default="", nullable=False),
        sa.Column("postcode", sa.String(), nullable=False),
        sa.Column("town", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("closed_on_holidays", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("event_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_space_network_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_space_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
        sa.UniqueConstraint("slug", name=op.f("uq_space_slug")),
        sa.UniqueConstraint("uid", name=op.f("uq_space_uid")),
    )
    op.create_index(op.f("ix_space_network_id"), "space", ["network_id"], unique=False)
    op.create_index(op.f("ix_space_operator_id"), "space", ["operator_id"], unique=False)
    op.create_table(
        "teleworker",
        sa.Column("employer_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employer_id"], ["employer.id"], name=op.f("fk_teleworker_employer_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_teleworker_member_id")),
        sa.PrimaryKeyConstraint("employer_id", "member_id", name=op.f("pk_teleworker")),
    )
    op.create_table(
        "vat_regime",
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("regime", sa.String(), nullable=False),
        sa.CheckConstraint(
            "regime IN ('standard', 'small_business', 'association')", name=op.f("ck_vat_regime_regime")
        ),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_vat_regime_operator_id")),
        sa.PrimaryKeyConstraint("operator_id", "valid_from", name=op.f("pk_vat_regime")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["member.id"], name=op.f("fk_audit_entry_actor_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_audit_entry_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_space_id"), "audit_entry", ["space_id"], unique=False)
    op.create_table(
        "closure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unit_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('closure', 'maintenance')", name=op.f("ck_closure_kind")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_closure_period")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_closure_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closure")),
        sa.UniqueConstraint("uid", name=op.f("uq_closure_uid")),
    )
    op.create_index(op.f("ix_closure_space_id"), "closure", ["space_id"], unique=False)
    op.create_table(
        "hours_exception",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("opens", sa.Time(), nullable=True),
        sa.Column("closes", sa.Time(), nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_hours_exception_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hours_exception")),
    )
    op.create_index("ix_hours_exception_space_id_day", "hours_exception", ["space_id", "day"], unique=False)
    op.create_table(
        "opening_hours",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("opens", sa.Time(), nullable=False),
        sa.Column("closes", sa.Time(), nullable=False),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_opening_hours_weekday")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_opening_hours_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_hours")),
    )
    op.create_index(op.f("ix_opening_hours_space_id"), "opening_hours", ["space_id"], unique=False)
    op.create_table(
        "plan",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_plan_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("uid", name=op.f("uq_plan_uid")),
    )
    op.create_index(op.f("ix_plan_space_id"), "plan", ["space_id"], unique=False)
    op.create_table(
        "resource",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("takes", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("amenities", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('desk_pool', 'desk', 'room', 'office', 'equipment')", name=op.f("ck_resource_kind")
        ),
        sa.CheckConstraint("takes IN ('any', 'all')", name=op.f("ck_resource_takes")),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_resource_capacity")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_resource_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("uid", name=op.f("uq_resource_uid")),
    )
    op.create_index(op.f("ix_resource_space_id"), "resource", ["space_id"], unique=False)
    op.create_table(
        "unit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_unit_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("uid", name=op.f("uq_unit_uid")),
    )
    op.create_index(op.f("ix_unit_space_id"), "unit", ["space_id"], unique=False)
    op.create_table(
        "booking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("series_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unit_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("title", sa.String(), server_default="", nullable=False),
        sa.Column("attendees", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("extras", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("gross_cents", sa.BigInteger(), nullable=False),
        sa.Column("net_cents", sa.BigInteger(), nullable=False),
        sa.Column("vat_cents", sa.BigInteger(), nullable=False),
        sa.Column("vat_permille", sa.Integer(), nullable=False),
        sa.Column("cover", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("hold_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("event_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("draw_no", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "status IN ('held', 'pending', 'confirmed', 'checked_in', 'completed', 'cancelled', 'refused', 'no_show')",
            name=op.f("ck_booking_status"),
        ),
        sa.CheckConstraint("net_cents + vat_cents = gross_cents", name=op.f("ck_booking_price")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_booking_period")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_booking_member_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_booking_resource_id")),
        sa.ForeignKeyConstraint(["series_id"], ["booking_series.id"], name=op.f("fk_booking_series_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_booking_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
        sa.UniqueConstraint("uid", name=op.f("uq_booking_uid")),
    )
    op.create_index("ix_booking_member_id_id", "booking", ["member_id", "id"], unique=False)
    op.create_index(
        "ix_booking_member_id_resource_id_starts_at", "booking", ["member_id", "resource_id", "starts_at"], unique=False
    )
    op.create_index(op.f("ix_booking_series_id"), "booking", ["series_id"], unique=False)
    op.create_index("ix_booking_space_id_starts_at", "booking", ["space_id", "starts_at"], unique=False)
    op.create_table(
        "booking_rule",
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("lead_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("horizon_days", sa.Integer(), server_default="365", nullable=False),
        sa.Column("min_minutes", sa.Integer(), server_default="30", nullable=False),
        sa.Column("max_minutes", sa.Integer(), server_default="1440", nullable=False),
        sa.Column("step_minutes", sa.Integer(), server_default="15", nullable=False),
        sa.Column("buffer_before_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("buffer_after_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("audience", sa.String(), server_default="anyone", nullable=False),
        sa.Column("quota_day_minutes", sa.Integer(), nullable=True),
        sa.Column("quota_week_minutes", sa.Integer(), nullable=True),
        sa.Column("quota_month_minutes", sa.Integer(), nullable=True),
        sa.Column("approval", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("no_show_after_minutes", sa.Integer(), nullable=True),
        sa.Column("cancellation", postgresql.JSONB(astext_type=sa.Text()), server_default="[[0, 0]]", nullable=False),
        sa.CheckConstraint(
            "audience IN ('anyone', 'network', 'members', 'staff')", name=op.f("ck_booking_rule_audience")
        ),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_booking_rule_resource_id")),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_booking_rule")),
    )
    op.create_table(
        "plan_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("price_cents", sa.BigInteger(), nullable=False),
        sa.Column("included", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_version_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_version")),
        sa.UniqueConstraint("plan_id", "version", name=op.f("uq_plan_version_plan_id_version")),
    )
    op.create_table(
        "price_list",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("audience", sa.String(), server_default="anyone", nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(), server_default="EUR", nullable=False),
        sa.Column("includes_vat", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("hour_tiers", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("half_day_cents", sa.BigInteger(), nullable=True),
        sa.Column("half_day_minutes", sa.Integer(), server_default="240", nullable=False),
        sa.Column("day_cents", sa.BigInteger(), nullable=True),
        sa.Column("day_minutes", sa.Integer(), server_default="480", nullable=False),
        sa.Column("cap_cents", sa.BigInteger(), nullable=True),
        sa.Column("minimum_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("audience IN ('anyone', 'members')", name=op.f("ck_price_list_audience")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_price_list_resource_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list")),
        sa.UniqueConstraint(
            "resource_id", "audience", "valid_from", name=op.f("uq_price_list_resource_id_audience_valid_from")
        ),
    )
    op.create_index(op.f("ix_price_list_resource_id"), "price_list", ["resource_id"], unique=False)
    op.create_table(
        "resource_unit",
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_resource_unit_resource_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_resource_unit_unit_id")),
        sa.PrimaryKeyConstraint("resource_id", "unit_id", name=op.f("pk_resource_unit")),
    )
    op.create_index(op.f("ix_resource_unit_unit_id"), "resource_unit", ["unit_id"], unique=False)
    op.create_table(
        "calendar_fragment",
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("booking_uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("own_text", sa.String(), nullable=False),
        sa.Column("space_text", sa.String(), nullable=False),
        sa.Column("busy_text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_calendar_fragment_booking_id")),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_calendar_fragment")),
    )
    op.create_index("ix_calendar_fragment_member_id", "calendar_fragment", ["member_id", "starts_at"], unique=False)
    op.create_index("ix_calendar_fragment_resource_id", "calendar_fragment", ["resource_id", "starts_at"], unique=False)
    op.create_index("ix_calendar_fragment_space_id", "calendar_fragment", ["space_id", "starts_at"], unique=False)
    op.create_table(
        "membership",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_membership_member_id")),
        sa.ForeignKeyConstraint(["plan_version_id"], ["plan_version.id"], name=op.f("fk_membership_plan_version_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_membership_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("uid", name=op.f("uq_membership_uid")),
    )
    op.create_index("ix_membership_member_id_space_id", "membership", ["member_id", "space_id"], unique=False)
    op.create_index(op.f("ix_membership_space_id"), "membership", ["space_id"], unique=False)
    op.create_table(
        "occupancy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("period", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("closure_id", sa.BigInteger(), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.text("int8range(unit_id, unit_id, '[]')"), "&&"),
            (sa.column("period"), "&&"),
            using="gist",
            name="no_two_occupancies_of_a_unit_overlap",
        ),
        sa.CheckConstraint("(kind = 'booking') = (booking_id IS NOT NULL)", name=op.f("ck_occupancy_booking")),
        sa.CheckConstraint("kind IN ('booking', 'closure', 'maintenance', 'external')", name=op.f("ck_occupancy_kind")),
        sa.CheckConstraint(
            "NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period) AND isfinite(lower(period)) AND isfinite(upper(period))",
            name=op.f("ck_occupancy_period"),
        ),
        sa.CheckConstraint("lower_inc(period) AND NOT upper_inc(period)", name=op.f("ck_occupancy_half_open")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_occupancy_booking_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["closure_id"], ["closure.id"], name=op.f("fk_occupancy_closure_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_occupancy_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occupancy")),
    )
    op.create_index(op.f("ix_occupancy_booking_id"), "occupancy", ["booking_id"], unique=False)
    op.create_index(op.f("ix_occupancy_closure_id"), "occupancy", ["closure_id"], unique=False)
    op.create_index(
        "ix_occupancy_period",
        "occupancy",
        ["period"],
        unique=False,
        postgresql_using="gist",
        postgresql_include=["unit_id"],
    )
    op.create_table(
        "waitlist_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), server_default="waiting", nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "status IN ('waiting', 'offered', 'taken', 'lapsed', 'cancelled')", name=op.f("ck_waitlist_entry_status")
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_waitlist_entry_period")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_waitlist_entry_booking_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_waitlist_entry_member_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_waitlist_entry_resource_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_waitlist_entry_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entry")),
        sa.UniqueConstraint("uid", name=op.f("uq_waitlist_entry_uid")),
    )
    op.create_index(op.f("ix_waitlist_entry_booking_id"), "waitlist_entry", ["booking_id"], unique=False)
    op.create_index(op.f("ix_waitlist_entry_member_id"), "waitlist_entry", ["member_id"], unique=False)
    op.create_index(
        "ix_waitlist_entry_waiting",
        "waitlist_entry",
        ["resource_id", "starts_at"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_table(
        "credit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("membership_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.Date(), nullable=False),
        sa.Column("resource_kind", sa.String(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("booking_uid", sa.Uuid(), nullable=False),
        sa.Column("draw_no", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(reason = 'drawn' AND minutes < 0) OR (reason = 'returned' AND minutes > 0)",
            name=op.f("ck_credit_entry_sign"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_credit_entry_member_id")),
        sa.ForeignKeyConstraint(["membership_id"], ["membership.id"], name=op.f("fk_credit_entry_membership_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_credit_entry_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entry")),
        sa.UniqueConstraint(
            "booking_uid", "draw_no", "reason", name=op.f("uq_credit_entry_booking_uid_draw_no_reason")
        ),
    )
    op.create_index(
        "ix_credit_entry_membership_id_cycle", "credit_entry", ["membership_id", "cycle", "resource_kind"], unique=False
    )
    for statement in CATALOGUE_REVISION:
        op.execute(statement)


# A space's revision grows with every change of its catalogue, whoever makes it and from wherever.
CATALOGUE_REVISION = [
    """
    CREATE FUNCTION grow_space_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.revision := OLD.revision + 1;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER grow_revision BEFORE UPDATE ON space FOR EACH ROW
    WHEN (OLD.event_seq = NEW.event_seq) EXECUTE FUNCTION grow_space_revision()
    """,
    """
    CREATE FUNCTION touch_space_by_id() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE space SET revision = revision WHERE id = coalesce(NEW.space_id, OLD.space_id);
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION touch_space_by_resource() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE space SET revision = revision
        WHERE id = (SELECT space_id FROM resource WHERE id = coalesce(NEW.resource_id, OLD.resource_id));
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION touch_space_by_operator() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE space SET revision = revision WHERE operator_id = coalesce(NEW.operator_id, OLD.operator_id);
        RETURN NULL;
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER touch_space AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW
        EXECUTE FUNCTION {function}()
        """
        for table, function in [
            ("unit", "touch_space_by_id"),
            ("resource", "touch_space_by_id"),
            ("opening_hours", "touch_space_by_id"),
            ("hours_exception", "touch_space_by_id"),
            ("resource_unit", "touch_space_by_resource"),
            ("booking_rule", "touch_space_by_resource"),
            ("price_list", "touch_space_by_resource"),
            ("vat_regime", "touch_space_by_operator"),
        ]
    ),
]
