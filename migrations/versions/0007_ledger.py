"""The ledger: postings whose entries sum to zero, append-only, both by trigger; what is not yet rolled up, and what is.

Two layers keep a posting balanced. As entries are written, each statement must bring a balanced set to a posting that
its own transaction opened (one check per statement, over the rows it wrote). As the transaction ends, every header must
have entries, and they must sum to zero. The checks read by index whatever the planner believes: its figures are old
just after a bulk load, when they matter.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BY_INDEX = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"

FUNCTIONS = f"""
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: correct it with a new posting'
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
END $$;

CREATE FUNCTION note_opened_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_unrolled (operator_id, posting_id) SELECT operator_id, id FROM opened;
    RETURN NULL;
END $$;

CREATE FUNCTION check_ledger_entries() RETURNS trigger LANGUAGE plpgsql {BY_INDEX} AS $$
DECLARE
    mine bigint := pg_current_xact_id()::text::bigint;
    wrong record;
BEGIN
    SELECT e.posting_id, e.cents, p.txid IS DISTINCT FROM mine AS foreign_header INTO wrong
    FROM (
        SELECT posting_id, sum(cents) AS cents, min(operator_id) AS low, max(operator_id) AS high,
               min(day) AS first_day, max(day) AS last_day
        FROM written GROUP BY posting_id
    ) e LEFT JOIN posting p ON p.id = e.posting_id
    WHERE e.cents <> 0 OR p.txid IS DISTINCT FROM mine OR e.low <> p.operator_id OR e.high <> p.operator_id
       OR e.first_day <> p.day OR e.last_day <> p.day
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF wrong.foreign_header THEN
        RAISE EXCEPTION 'posting % was not opened in this transaction: nothing is added to it', wrong.posting_id
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_entry';
    ELSIF wrong.cents <> 0 THEN
        RAISE EXCEPTION 'the entries written to posting % are out of balance by % cents', wrong.posting_id, wrong.cents
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry';
    END IF;
    RAISE EXCEPTION 'entries of posting % name another operator or day than it has', wrong.posting_id
        USING ERRCODE = 'check_violation', TABLE = 'ledger_entry';
END $$;

CREATE FUNCTION check_posting() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    total numeric := (SELECT sum(cents) FROM ledger_entry WHERE posting_id = NEW.id);
BEGIN
    IF total IS NULL THEN
        RAISE EXCEPTION 'posting % has no entries', NEW.id USING ERRCODE = 'check_violation', TABLE = 'posting';
    ELSIF total <> 0 THEN
        RAISE EXCEPTION 'posting % is out of balance by % cents', NEW.id, total
            USING ERRCODE = 'check_violation', TABLE = 'posting';
    END IF;
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER postings_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER entries_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER postings_are_noted AFTER INSERT ON posting REFERENCING NEW TABLE AS opened
    FOR EACH STATEMENT EXECUTE FUNCTION note_opened_postings();
CREATE TRIGGER entries_come_balanced AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION check_ledger_entries();
CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT ON posting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_posting();
"""


def upgrade() -> None:
    _postings()
    _entries()
    _sums()
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)


def _postings() -> None:
    op.create_table(
        "posting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("document", sa.String(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "txid", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_posting_digest")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_posting_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
        sa.UniqueConstraint("uid", name=op.f("uq_posting_uid")),
        sa.UniqueConstraint("operator_id", "key", name=op.f("uq_posting_operator_id_key")),
    )
    op.create_index(op.f("ix_posting_operator_id_day"), "posting", ["operator_id", "day"], unique=False)


def _entries() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("posting_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("party_id", sa.BigInteger(), nullable=True),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("cents <> 0", name=op.f("ck_ledger_entry_cents")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_ledger_entry_party_id")),
        sa.PrimaryKeyConstraint("posting_id", "no", name=op.f("pk_ledger_entry")),
    )
    order = ["day", "posting_id", "no"]
    op.create_index(
        "ix_ledger_entry_account", "ledger_entry", ["operator_id", "account", *order], postgresql_include=["cents"]
    )
    op.create_index(
        "ix_ledger_entry_party", "ledger_entry", ["operator_id", "account", "party_id", *order],
        postgresql_include=["cents"], postgresql_where=sa.text("party_id IS NOT NULL"),
    )  # fmt: skip


def _sums() -> None:
    op.create_table(
        "ledger_unrolled",
        sa.Column("operator_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("posting_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "posting_id", name=op.f("pk_ledger_unrolled")),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("operator_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("party_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("debit_cents", sa.BigInteger(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "account", "party_id", "month", name=op.f("pk_ledger_checkpoint")),
    )
