"""Plans in full, memberships with teams, terms and pauses, eligibility, parties; credit in minutes or in money.

Forwards while the previous version serves: what it writes (a plan of a space, a membership of a member, credit in
minutes) fits the new columns' defaults, and `included` stays what it reads.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _parties()
    _plans()
    _teams()
    _memberships()
    _credits()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _text(name: str, default: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), server_default=default, nullable=nullable)


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _parties() -> None:
    op.create_table(
        "party",
        _id(),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("employer_id", sa.BigInteger(), nullable=True),
        _text("name"),
        _text("street", ""),
        _text("postcode", ""),
        _text("town", ""),
        _text("country"),
        sa.Column("is_business", sa.Boolean(), server_default="false", nullable=False),
        _text("company_number", nullable=True),
        _text("vat_number", nullable=True),
        _text("vat_status", "unchecked"),
        _when("vat_checked_at", nullable=True),
        _text("email", nullable=True),
        _text("locale", "fr"),
        _text("purchase_order", nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        _now("changed_at"),
        sa.CheckConstraint(
            "vat_status IN ('unchecked', 'valid', 'invalid', 'unknown')", name=op.f("ck_party_vat_status")
        ),
        _key("party", "member_id", "member"),
        _key("party", "employer_id", "employer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party")),
        sa.UniqueConstraint("uid", name=op.f("uq_party_uid")),
    )
    op.create_index("uq_party_member_id", "party", ["member_id"], unique=True)
    op.create_index("uq_party_employer_id", "party", ["employer_id"], unique=True)
    op.create_table(
        "vat_number_check",
        _id(),
        sa.Column("party_id", sa.BigInteger(), nullable=False),
        _text("vat_number"),
        _when("asked_at"),
        _text("answer"),
        _text("detail", ""),
        _text("consultation", nullable=True),
        sa.CheckConstraint("answer IN ('yes', 'no', 'none')", name=op.f("ck_vat_number_check_answer")),
        _key("vat_number_check", "party_id", "party"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vat_number_check")),
    )
    op.create_index(op.f("ix_vat_number_check_party_id"), "vat_number_check", ["party_id"], unique=False)


def _plans() -> None:
    op.add_column("plan", sa.Column("operator_id", sa.BigInteger(), nullable=True))
    op.add_column("plan", _when("archived_at", nullable=True))
    op.create_foreign_key(op.f("fk_plan_operator_id"), "plan", "operator", ["operator_id"], ["id"])
    op.create_index(op.f("ix_plan_operator_id"), "plan", ["operator_id"], unique=False)
    op.alter_column("plan", "space_id", existing_type=sa.BigInteger(), nullable=True)
    op.execute("UPDATE plan SET operator_id = s.operator_id FROM space s WHERE s.id = plan.space_id")
    columns: list[sa.Column[object]] = [
        sa.Column("uid", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.String(), server_default="EUR", nullable=False),
        sa.Column("includes_vat", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cycle", sa.String(), server_default="month", nullable=False),
        sa.Column("cycle_months", sa.Integer(), server_default="1", nullable=False),
        sa.Column("anchor", sa.String(), server_default="calendar", nullable=False),
        sa.Column("credits", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("discounts", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("access", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deposit_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("notice_days", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trial_days", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seats", sa.Integer(), server_default="1", nullable=False),
        sa.Column("eligibility", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    ]
    for column in columns:
        op.add_column("plan_version", column)
    op.execute("UPDATE plan_version SET uid = gen_random_uuid()")
    op.create_unique_constraint(op.f("uq_plan_version_uid"), "plan_version", ["uid"])
    for name, rule in (
        ("cycle", "cycle IN ('month', 'week', 'term')"),
        ("anchor", "anchor IN ('calendar', 'start')"),
        ("cycle_months", "cycle_months BETWEEN 1 AND 60"),
        ("amounts", "price_cents >= 0 AND deposit_cents >= 0"),
        ("counts", "notice_days >= 0 AND trial_days >= 0 AND seats >= 1"),
    ):
        op.create_check_constraint(op.f(f"ck_plan_version_{name}"), "plan_version", rule)


def _teams() -> None:
    op.create_table(
        "team",
        _id(),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        _text("name"),
        sa.Column("party_id", sa.BigInteger(), nullable=True),
        _now("created_at"),
        _key("team", "operator_id", "operator"),
        _key("team", "member_id", "member"),
        _key("team", "party_id", "party"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("uid", name=op.f("uq_team_uid")),
    )
    op.create_index(op.f("ix_team_operator_id"), "team", ["operator_id"], unique=False)
    op.create_index(op.f("ix_team_member_id"), "team", ["member_id"], unique=False)
    op.create_table(
        "team_seat",
        _id(),
        sa.Column("team_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        _key("team_seat", "team_id", "team"),
        _key("team_seat", "member_id", "member"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_seat")),
        sa.UniqueConstraint("team_id", "member_id", "from_day", name=op.f("uq_team_seat_team_id_member_id_from_day")),
    )
    op.create_index(op.f("ix_team_seat_member_id"), "team_seat", ["member_id"], unique=False)


def _memberships() -> None:
    columns: list[sa.Column[object]] = [
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("party_id", sa.BigInteger(), nullable=True),
        sa.Column("charged_until", sa.Date(), nullable=True),
        sa.Column("exclusive", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("event_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    ]
    for column in columns:
        op.add_column("membership", column)
    op.create_foreign_key(op.f("fk_membership_team_id"), "membership", "team", ["team_id"], ["id"])
    op.create_foreign_key(op.f("fk_membership_party_id"), "membership", "party", ["party_id"], ["id"])
    op.create_index(op.f("ix_membership_team_id"), "membership", ["team_id"], unique=False)
    op.create_check_constraint(op.f("ck_membership_period"), "membership", "ends_on IS NULL OR ends_on >= starts_on")
    op.execute(
        "ALTER TABLE membership ADD CONSTRAINT one_membership_of_a_member_at_a_space EXCLUDE USING gist ("
        "int8range(member_id, member_id, '[]') WITH &&, int8range(space_id, space_id, '[]') WITH &&, "
        "daterange(starts_on, ends_on, '[]') WITH &&) WHERE (exclusive)"
    )
    op.create_table(
        "membership_term",
        _id(),
        sa.Column("membership_id", sa.BigInteger(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), nullable=False),
        _now("at"),
        _key("membership_term", "membership_id", "membership"),
        _key("membership_term", "plan_version_id", "plan_version"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_term")),
    )
    op.create_index(op.f("ix_membership_term_membership_id"), "membership_term", ["membership_id"], unique=False)
    op.create_table(
        "membership_pause",
        _id(),
        sa.Column("membership_id", sa.BigInteger(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.CheckConstraint("until_day IS NULL OR until_day >= from_day", name=op.f("ck_membership_pause_period")),
        _key("membership_pause", "membership_id", "membership"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_pause")),
    )
    op.create_index(op.f("ix_membership_pause_membership_id"), "membership_pause", ["membership_id"], unique=False)
    op.create_table(
        "eligibility",
        _id(),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        _text("status"),
        _text("evidence"),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        _now("recorded_at"),
        sa.CheckConstraint("expires_on >= valid_from", name=op.f("ck_eligibility_period")),
        _key("eligibility", "member_id", "member"),
        _key("eligibility", "space_id", "space"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eligibility")),
        sa.UniqueConstraint("uid", name=op.f("uq_eligibility_uid")),
    )
    op.create_index(op.f("ix_eligibility_member_id"), "eligibility", ["member_id"], unique=False)


def _credits() -> None:
    op.add_column("credit_entry", sa.Column("pool", sa.Integer(), server_default="0", nullable=False))
    op.add_column("credit_entry", sa.Column("cents", sa.BigInteger(), server_default="0", nullable=False))
    op.alter_column("credit_entry", "minutes", existing_type=sa.BigInteger(), server_default="0")
    op.drop_constraint(op.f("ck_credit_entry_sign"), "credit_entry", type_="check")
    op.create_check_constraint(
        op.f("ck_credit_entry_sign"),
        "credit_entry",
        "(reason = 'drawn' AND minutes <= 0 AND cents <= 0 OR reason = 'returned' AND minutes >= 0 AND cents >= 0)"
        " AND (minutes = 0) <> (cents = 0)",
    )
    op.drop_constraint(op.f("uq_credit_entry_booking_uid_draw_no_reason"), "credit_entry", type_="unique")
    op.create_unique_constraint(
        op.f("uq_credit_entry_booking_uid_draw_no_reason_membership_id_pool"),
        "credit_entry",
        ["booking_uid", "draw_no", "reason", "membership_id", "pool"],
    )
