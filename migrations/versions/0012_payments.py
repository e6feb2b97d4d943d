"""Money that comes and goes: payments with their evidence, refunds, disputes, and what they pay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _key() -> sa.Column[object]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True)


def _uid() -> sa.Column[object]:
    return sa.Column("uid", sa.Uuid(), nullable=False, unique=True)


def _ref(name: str, *, nullable: bool = False) -> sa.Column[object]:
    table = name.removesuffix("_id")
    return sa.Column(name, sa.BigInteger(), sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.String(), nullable=nullable, server_default=default)


def _cents(name: str, *, default: str | None = None, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[object]:
    default = None if nullable else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def _json(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), nullable=nullable, server_default=None if nullable else "{}")


def _count(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    _how_operators_are_paid()
    _payments()
    _refunds_and_disputes()
    _evidence()
    _what_is_paid()
    _drawers()
    _for_a_person()


def _how_operators_are_paid() -> None:
    op.create_table(
        "payment_account",
        sa.Column("operator_id", sa.BigInteger(), sa.ForeignKey("operator.id"), primary_key=True, autoincrement=False),
        _text("holder", default=""),
        _text("bic", nullable=True),
        _text("creditor_identifier", nullable=True),
        _text("provider_mode", default="none"),
        _text("provider_account", nullable=True),
        _check("payment_account", "provider_mode", "provider_mode IN ('none', 'own', 'connected')"),
        _check("payment_account", "provider_account",
               "(provider_mode = 'connected') = (provider_account IS NOT NULL)"),
    )  # fmt: skip
    op.create_table(
        "payment_method",
        _key(), _uid(), _ref("operator_id"), _ref("party_id"),
        _text("provider"), _text("kind"), _text("label", default=""),
        _text("provider_customer", nullable=True), _text("provider_method", nullable=True),
        _text("provider_setup", nullable=True), _text("mandate", nullable=True),
        _text("state", default="pending"),
        sa.Column("automatic", sa.Boolean(), nullable=False, server_default="false"),
        _text("mode", default="hosted"), _text("return_url", nullable=True),
        _instant("created_at", nullable=False), _instant("active_at"), _instant("revoked_at"),
        _instant("next_look_at"), _count("looks"), _instant("claimed_until"), _count("claims"),
        _check("payment_method", "state", "state IN ('pending', 'active', 'revoked')"),
        _check("payment_method", "kind", "kind IN ('card', 'bancontact', 'sepa_debit')"),
    )  # fmt: skip
    op.create_index("ix_payment_method_party_id", "payment_method", ["party_id", "operator_id"])
    op.create_index(
        "ix_payment_method_to_look", "payment_method", ["next_look_at", "id"],
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "uq_payment_method_automatic", "payment_method", ["operator_id", "party_id"], unique=True,
        postgresql_where=sa.text("automatic AND state = 'active'"),
    )  # fmt: skip


def _payments() -> None:
    op.create_table(
        "payment",
        _key(), _uid(), _ref("operator_id"), _ref("party_id"),
        _text("source"), _text("provider"), _text("kind"), _cents("amount_cents"), _text("currency"),
        _text("state", default="requested"),
        _text("mode", default="received"),
        sa.Column("payment_method_id", sa.BigInteger(), sa.ForeignKey("payment_method.id"), nullable=True),
        sa.Column("booking_uid", sa.Uuid(), nullable=True),
        sa.Column("retries_id", sa.BigInteger(), sa.ForeignKey("payment.id"), nullable=True),
        _text("provider_ref", nullable=True), _text("return_url", nullable=True),
        _text("failure_code", nullable=True), _text("transfer_ref", nullable=True),
        _cents("settled_cents", default="0"), _cents("fee_cents", default="0"),
        _instant("requested_at", nullable=False), _instant("settled_at"), _instant("failed_at"),
        _instant("next_look_at"), _count("looks"), _instant("claimed_until"), _count("claims"),
        sa.Column("event_seq", sa.BigInteger(), nullable=False, server_default="1"),
        sa.UniqueConstraint("source", name=op.f("uq_payment_source")),
        _check("payment", "kind",
               "kind IN ('card', 'bancontact', 'sepa_debit', 'any', 'transfer', 'debit', 'cash', 'terminal')"),
        _check("payment", "state", "state IN ('requested', 'action_needed', 'unknown', 'settled', 'failed')"),
        _check("payment", "mode", "mode IN ('received', 'automatic', 'present', 'hosted')"),
        _check("payment", "amount", "amount_cents > 0"),
        _check("payment", "settled", "(state = 'settled') = (settled_at IS NOT NULL)"),
        _check("payment", "failed", "(state = 'failed') = (failed_at IS NOT NULL)"),
        _check("payment", "settled_cents", "settled_cents >= 0 AND (settled_cents = 0 OR state = 'settled')"),
    )  # fmt: skip
    op.create_index("ix_payment_operator_id_id", "payment", ["operator_id", "id"])
    op.create_index("ix_payment_party_id_id", "payment", ["party_id", "id"])
    op.create_index("ix_payment_booking_uid", "payment", ["booking_uid"])
    op.create_index("ix_payment_retries_id", "payment", ["retries_id"])
    op.create_index(
        "uq_payment_provider_ref", "payment", ["provider", "provider_ref"], unique=True,
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_payment_to_look", "payment", ["next_look_at", "id"], postgresql_where=sa.text("next_look_at IS NOT NULL")
    )
    op.create_table(
        "payment_aim",
        sa.Column("payment_id", sa.BigInteger(), sa.ForeignKey("payment.id"), primary_key=True, autoincrement=False),
        sa.Column("invoice_id", sa.BigInteger(), sa.ForeignKey("invoice.id"), primary_key=True, autoincrement=False),
        _cents("cents"),
        _check("payment_aim", "cents", "cents > 0"),
    )
    op.create_index("ix_payment_aim_invoice_id", "payment_aim", ["invoice_id"])


def _refunds_and_disputes() -> None:
    op.create_table(
        "refund",
        _key(), _uid(), _ref("payment_id"), _ref("operator_id"),
        _text("source"), _cents("amount_cents"), _text("currency"), _text("reason"),
        _text("state", default="requested"), _text("provider_ref", nullable=True),
        _text("failure_code", nullable=True), _text("reversal_ref", nullable=True),
        sa.Column("asked_by_id", sa.BigInteger(), sa.ForeignKey("member.id"), nullable=True),
        _instant("requested_at", nullable=False), _instant("settled_at"), _instant("failed_at"),
        _instant("next_look_at"), _count("looks"), _instant("claimed_until"), _count("claims"),
        sa.UniqueConstraint("source", name=op.f("uq_refund_source")),
        _check("refund", "state", "state IN ('requested', 'unknown', 'settled', 'failed')"),
        _check("refund", "amount", "amount_cents > 0"),
        _check("refund", "settled", "(state = 'settled') = (settled_at IS NOT NULL)"),
        _check("refund", "failed", "(state = 'failed') = (failed_at IS NOT NULL)"),
    )  # fmt: skip
    op.create_index("ix_refund_payment_id", "refund", ["payment_id"])
    op.create_index("ix_refund_operator_id_id", "refund", ["operator_id", "id"])
    op.create_index(
        "ix_refund_to_look", "refund", ["next_look_at", "id"], postgresql_where=sa.text("next_look_at IS NOT NULL")
    )
    # A refund never goes above its payment, whoever writes it: the payment's row is locked before the sum is taken.
    op.execute(
        """
        CREATE FUNCTION refunds_within_payment() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            received bigint;
            given bigint;
        BEGIN
            SELECT settled_cents INTO received FROM payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
            SELECT coalesce(sum(amount_cents), 0) INTO given FROM refund
            WHERE payment_id = NEW.payment_id AND state <> 'failed' AND id <> NEW.id;
            IF NEW.state <> 'failed' AND given + NEW.amount_cents > received THEN
                RAISE EXCEPTION 'payment % was % cents: % are refunded, % more are too much',
                    NEW.payment_id, received, given, NEW.amount_cents USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER refunds_within_payment BEFORE INSERT OR UPDATE ON refund "
        "FOR EACH ROW EXECUTE FUNCTION refunds_within_payment()"
    )
    op.create_table(
        "dispute",
        _key(), _uid(), _ref("payment_id"), _ref("operator_id"),
        _text("provider_ref"), _cents("amount_cents"), _cents("fee_cents", default="0"), _text("currency"),
        _text("reason", default=""), _text("state", default="open"),
        _instant("opened_at", nullable=False), _instant("closed_at"),
        sa.UniqueConstraint("provider_ref", name=op.f("uq_dispute_provider_ref")),
        _check("dispute", "state", "state IN ('open', 'won', 'lost')"),
        _check("dispute", "amount", "amount_cents > 0"),
    )  # fmt: skip
    op.create_index("ix_dispute_payment_id", "dispute", ["payment_id"])


def _evidence() -> None:
    op.create_table(
        "provider_call",
        _key(), _ref("operator_id"),
        sa.Column("payment_id", sa.BigInteger(), sa.ForeignKey("payment.id"), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), sa.ForeignKey("refund.id"), nullable=True),
        sa.Column("payment_method_id", sa.BigInteger(), sa.ForeignKey("payment_method.id"), nullable=True),
        _text("verb"), _text("idempotency_key", nullable=True),
        _instant("asked_at", nullable=False), _instant("answered_at"),
        _text("outcome", default="asked"),
        sa.Column("status", sa.Integer(), nullable=True),
        _json("request"), _json("answer", nullable=True),
        _check("provider_call", "outcome", "outcome IN ('asked', 'answered', 'refused', 'no_answer')"),
    )  # fmt: skip
    op.create_index("ix_provider_call_payment_id", "provider_call", ["payment_id", "id"])
    op.create_index("ix_provider_call_refund_id", "provider_call", ["refund_id", "id"])
    op.create_index("ix_provider_call_payment_method_id", "provider_call", ["payment_method_id", "id"])
    op.create_table(
        "provider_notice",
        _key(), _uid(), _text("provider"), _text("notice_id"), _text("type"), _text("object_ref", nullable=True),
        _text("account", nullable=True), _json("payload"), _instant("received_at", nullable=False),
        _text("state", default="stored"), _instant("done_at"),
        sa.Column("event_seq", sa.BigInteger(), nullable=False, server_default="1"),
        sa.UniqueConstraint("provider", "notice_id", name=op.f("uq_provider_notice_provider_notice_id")),
        _check("provider_notice", "state", "state IN ('stored', 'done', 'ignored')"),
    )  # fmt: skip


def _what_is_paid() -> None:
    op.create_table(
        "allocation",
        _key(), _ref("operator_id"), _ref("payment_id"), _ref("invoice_id"), _cents("cents"), _text("source"),
        _instant("created_at", nullable=False),
        sa.UniqueConstraint("source", name=op.f("uq_allocation_source")),
        _check("allocation", "cents", "cents <> 0"),
    )  # fmt: skip
    op.create_index("ix_allocation_invoice_id", "allocation", ["invoice_id"])
    op.create_index("ix_allocation_payment_id", "allocation", ["payment_id"])
    op.execute(
        """
        CREATE FUNCTION allocation_stays() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'an allocation is never changed or removed: undo it by its opposite'
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER allocation_stays BEFORE UPDATE OR DELETE ON allocation "
        "FOR EACH ROW EXECUTE FUNCTION allocation_stays()"
    )
    # Whoever writes an allocation: a payment gives no more than it has, an invoice takes no more than is left of it.
    op.execute(
        """
        CREATE FUNCTION allocation_within() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            paid payment;
            owed invoice;
            has bigint;
            given bigint;
            covered bigint;
        BEGIN
            SELECT * INTO paid FROM payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
            SELECT * INTO owed FROM invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
            IF (paid.operator_id, paid.party_id, paid.currency) IS DISTINCT FROM
               (owed.operator_id, owed.party_id, owed.currency) OR paid.operator_id <> NEW.operator_id THEN
                RAISE EXCEPTION 'payment % is not of the operator and party of invoice %', paid.id, owed.id
                    USING ERRCODE = 'check_violation';
            END IF;
            SELECT paid.settled_cents
                - (SELECT coalesce(sum(amount_cents), 0) FROM refund
                   WHERE payment_id = paid.id AND state <> 'failed')
                - (SELECT coalesce(sum(amount_cents), 0) FROM dispute WHERE payment_id = paid.id AND state = 'lost'),
                coalesce(sum(cents), 0), coalesce(sum(cents) FILTER (WHERE invoice_id = owed.id), 0)
            INTO has, given, covered FROM allocation WHERE payment_id = paid.id;
            IF covered + NEW.cents < 0 THEN
                RAISE EXCEPTION 'payment % pays % cents of invoice %: no % can be undone',
                    paid.id, covered, owed.id, -NEW.cents USING ERRCODE = 'check_violation';
            END IF;
            IF NEW.cents > 0 AND given + NEW.cents > has THEN
                RAISE EXCEPTION 'payment % has % cents, and gives % already: % more are too much',
                    paid.id, has, given, NEW.cents USING ERRCODE = 'check_violation';
            END IF;
            SELECT coalesce(sum(settled_cents), 0) INTO covered FROM invoice_settlement WHERE invoice_id = owed.id;
            IF NEW.cents > 0 AND (owed.corrects_id IS NOT NULL OR covered + NEW.cents > owed.gross_cents) THEN
                RAISE EXCEPTION 'invoice % was % cents, % are settled: % more are too much',
                    owed.id, owed.gross_cents, covered, NEW.cents USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER allocation_within BEFORE INSERT ON allocation FOR EACH ROW EXECUTE FUNCTION allocation_within()"
    )
    # Once and for all versions: what credit notes take back, and what payments pay.
    op.execute(
        """
        CREATE OR REPLACE VIEW invoice_settlement AS
        SELECT invoice_id, CAST(sum(cents) AS bigint) AS settled_cents
        FROM (SELECT corrects_id AS invoice_id, gross_cents AS cents FROM invoice WHERE corrects_id IS NOT NULL
              UNION ALL SELECT invoice_id, cents FROM allocation) AS settling
        GROUP BY invoice_id
        """
    )


def _drawers() -> None:
    op.create_table(
        "cash_drawer",
        _key(), _uid(), _ref("operator_id"), _ref("space_id"), sa.Column("day", sa.Date(), nullable=False),
        _text("currency"), _cents("opening_cents"), _instant("opened_at", nullable=False),
        sa.Column("opened_by_id", sa.BigInteger(), sa.ForeignKey("member.id"), nullable=True),
        sa.Column("counted_cents", sa.BigInteger(), nullable=True),
        sa.Column("difference_cents", sa.BigInteger(), nullable=True),
        _instant("counted_at"),
        sa.Column("counted_by_id", sa.BigInteger(), sa.ForeignKey("member.id"), nullable=True),
        _text("note", default=""),
        sa.UniqueConstraint("space_id", "day", name=op.f("uq_cash_drawer_space_id_day")),
        _check("cash_drawer", "cents", "opening_cents >= 0 AND counted_cents >= 0"),
        _check("cash_drawer", "counted",
               "(counted_at IS NULL) = (counted_cents IS NULL) AND (counted_at IS NULL) = (difference_cents IS NULL)"),
    )  # fmt: skip
    op.create_index("ix_cash_drawer_operator_id_id", "cash_drawer", ["operator_id", "id"])
    op.create_table(
        "cash_movement",
        _key(), _ref("operator_id"), _ref("cash_drawer_id"),
        sa.Column("payment_id", sa.BigInteger(), sa.ForeignKey("payment.id"), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), sa.ForeignKey("refund.id"), nullable=True),
        _cents("cents"), _instant("made_at", nullable=False),
        sa.UniqueConstraint("payment_id", name=op.f("uq_cash_movement_payment_id")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_cash_movement_refund_id")),
        _check("cash_movement", "cents", "cents <> 0"),
        _check("cash_movement", "of_one", "(payment_id IS NULL) <> (refund_id IS NULL)"),
    )  # fmt: skip
    op.create_index("ix_cash_movement_cash_drawer_id", "cash_movement", ["cash_drawer_id"])


def _for_a_person() -> None:
    op.create_table(
        "money_task",
        _key(), _uid(), _ref("operator_id"), _text("kind"), _text("key"),
        sa.Column("party_id", sa.BigInteger(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), sa.ForeignKey("payment.id"), nullable=True),
        sa.Column("invoice_id", sa.BigInteger(), sa.ForeignKey("invoice.id"), nullable=True),
        _cents("cents"), _text("currency"), _json("facts"),
        _instant("opened_at", nullable=False), _instant("closed_at"),
        sa.Column("closed_by_id", sa.BigInteger(), sa.ForeignKey("member.id"), nullable=True),
        _text("note", default=""),
        sa.UniqueConstraint("key", name=op.f("uq_money_task_key")),
    )  # fmt: skip
    op.create_index("ix_money_task_operator_id_id", "money_task", ["operator_id", "id"])
    op.create_index(
        "ix_money_task_open", "money_task", ["operator_id", "id"], postgresql_where=sa.text("closed_at IS NULL")
    )
