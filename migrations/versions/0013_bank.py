"""Bank statements with their lines, and files of SEPA transfers and debits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _key() -> sa.Column[object]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True)


def _uid() -> sa.Column[object]:
    return sa.Column("uid", sa.Uuid(), nullable=False, unique=True)


def _ref(name: str, table: str | None = None, *, nullable: bool = False) -> sa.Column[object]:
    target = table or name.removesuffix("_id")
    return sa.Column(name, sa.BigInteger(), sa.ForeignKey(f"{target}.id"), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.String(), nullable=nullable, server_default=default)


def _cents(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _number(name: str, *, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=default)


def _day(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=nullable)


def _flag(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default="false")


def _instant(name: str, *, nullable: bool = True) -> sa.Column[object]:
    default = None if nullable else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def _json(name: str, *, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), nullable=False, server_default=default)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    _statements()
    _mandates_and_files()
    _items()


def _statements() -> None:
    op.create_table(
        "bank_statement",
        _key(), _uid(), _ref("operator_id"), _text("sha256"), _number("position"), _text("format"),
        _text("reference"), _day("from_day", nullable=True), _day("until_day", nullable=True), _text("currency"),
        _cents("opening_cents"), _cents("closing_cents"), _number("lines"), _number("ignored", default="0"),
        _instant("imported_at", nullable=False), _ref("imported_by_id", "member", nullable=True),
        sa.UniqueConstraint("operator_id", "sha256", "position",
                            name=op.f("uq_bank_statement_operator_id_sha256_position")),
    )  # fmt: skip
    op.create_index("ix_bank_statement_operator_id_id", "bank_statement", ["operator_id", "id"])
    op.create_table(
        "bank_line",
        _key(), _uid(), _ref("operator_id"), _ref("statement_id", "bank_statement"), _text("key"),
        _number("position"), _day("booked_on"), _cents("cents"), _text("currency"), _text("code", default=""),
        _flag("is_reversal"), _text("return_reason", nullable=True), _text("end_to_end_id", nullable=True),
        _text("bank_ref", nullable=True), _text("structured", nullable=True), _text("remittance", default=""),
        _text("counterparty_name", nullable=True), _text("counterparty_iban", nullable=True),
        _text("state", default="open"), _text("rule", default=""), _json("reasons", default="[]"),
        _ref("party_id", nullable=True), _ref("payment_id", nullable=True), _instant("decided_at"),
        _ref("decided_by_id", "member", nullable=True), _text("note", default=""),
        sa.UniqueConstraint("operator_id", "key", name=op.f("uq_bank_line_operator_id_key")),
        _check("bank_line", "state", "state IN ('matched', 'proposed', 'open', 'dismissed')"),
        _check("bank_line", "cents", "cents <> 0"),
        _check("bank_line", "note", "state <> 'dismissed' OR note <> ''"),
    )  # fmt: skip
    op.create_index("ix_bank_line_operator_id_id", "bank_line", ["operator_id", "id"])
    op.create_index("ix_bank_line_statement_id", "bank_line", ["statement_id"])
    op.create_index("ix_bank_line_payment_id", "bank_line", ["payment_id"])
    for name, columns, condition in (
        ("ix_bank_line_to_decide", ["operator_id", "id"], "state IN ('proposed', 'open')"),
        ("ix_bank_line_counterparty", ["operator_id", "counterparty_iban"],
         "party_id IS NOT NULL AND counterparty_iban IS NOT NULL"),
        ("ix_bank_line_end_to_end_id", ["operator_id", "end_to_end_id"], "end_to_end_id IS NOT NULL"),
    ):  # fmt: skip
        op.create_index(name, "bank_line", columns, postgresql_where=sa.text(condition))
    op.create_table(
        "bank_proposal",
        _key(), _uid(), _ref("operator_id"), _ref("line_id", "bank_line"), _ref("party_id"), _number("certainty"),
        _json("reasons"), _json("aims"), _text("state", default="open"),
        _check("bank_proposal", "state", "state IN ('open', 'accepted', 'rejected')"),
        _check("bank_proposal", "certainty", "certainty BETWEEN 1 AND 99"),
    )  # fmt: skip
    op.create_index("ix_bank_proposal_line_id", "bank_proposal", ["line_id"])


def _mandates_and_files() -> None:
    op.create_table(
        "sepa_mandate",
        _key(), _uid(), _ref("operator_id"), _ref("party_id"), _text("reference"), _text("scheme"),
        _day("signed_on"), _text("debtor_name"), _text("iban"), _text("bic", nullable=True), _flag("used"),
        _instant("created_at", nullable=False), _instant("revoked_at"),
        sa.UniqueConstraint("operator_id", "reference", name=op.f("uq_sepa_mandate_operator_id_reference")),
        _check("sepa_mandate", "scheme", "scheme IN ('CORE', 'B2B')"),
    )  # fmt: skip
    op.create_index(
        "uq_sepa_mandate_active", "sepa_mandate", ["operator_id", "party_id"], unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "sepa_file",
        _key(), _uid(), _ref("operator_id"), _text("kind"), _text("format"), _text("sha256"), _cents("size"),
        _number("items"), _cents("cents"), _text("currency"), _day("execution_on"),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        _ref("made_by_id", "member", nullable=True), _instant("handed_over_at"), _instant("cancelled_at"),
        _text("cancel_reason", default=""),
        _check("sepa_file", "kind", "kind IN ('transfer', 'debit')"),
        _check("sepa_file", "totals", "items > 0 AND cents > 0"),
        _check("sepa_file", "cancelled", "handed_over_at IS NULL OR cancelled_at IS NULL"),
        _check("sepa_file", "cancel_reason", "cancelled_at IS NULL OR cancel_reason <> ''"),
    )  # fmt: skip
    op.create_index("ix_sepa_file_operator_id_id", "sepa_file", ["operator_id", "id"])


def _items() -> None:
    op.create_table(
        "sepa_item",
        _key(), _uid(), _ref("operator_id"), _text("kind"), _text("source"), _text("end_to_end_id"),
        _ref("file_id", "sepa_file", nullable=True), _ref("party_id", nullable=True),
        _ref("refund_id", nullable=True), _ref("invoice_id", nullable=True),
        _ref("mandate_id", "sepa_mandate", nullable=True), _text("sequence", nullable=True), _text("name"),
        _text("iban"), _text("bic", nullable=True), _text("remittance"), _cents("cents"), _text("currency"),
        _text("state", default="waiting"), _ref("line_id", "bank_line", nullable=True),
        _text("return_reason", nullable=True), _instant("created_at", nullable=False),
        sa.UniqueConstraint("source", name=op.f("uq_sepa_item_source")),
        sa.UniqueConstraint("end_to_end_id", name=op.f("uq_sepa_item_end_to_end_id")),
        _check("sepa_item", "kind", "kind IN ('transfer', 'debit')"),
        _check("sepa_item", "state", "state IN ('waiting', 'in_file', 'settled', 'returned', 'cancelled')"),
        _check("sepa_item", "cents", "cents > 0"),
        _check("sepa_item", "mandate", "(kind = 'debit') = (mandate_id IS NOT NULL AND sequence IS NOT NULL)"),
    )  # fmt: skip
    op.create_index("ix_sepa_item_file_id", "sepa_item", ["file_id"])
    op.create_index("ix_sepa_item_invoice_id", "sepa_item", ["invoice_id"])
    op.create_index(
        "ix_sepa_item_waiting", "sepa_item", ["operator_id", "kind"], postgresql_where=sa.text("state = 'waiting'")
    )
