"""Closings, the line behind which nothing is recorded any more, sealed archives and the keys they are signed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# What a closing counts: the table, its instant of recording, and the function that keeps that behind the line.
RECORDED = [
    ("posting", "created_at", "records_in_open_books"),
    ("charge", "created_at", "records_in_open_books"),
    ("invoice", "finalised_at", "finalises_in_open_books"),
]


def upgrade() -> None:
    _books()
    _closings()
    _archives()
    _the_line()
    _never_changed()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _day(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=False)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _of_an_operator(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f(f"fk_{table}_operator_id"))


def _books() -> None:
    op.create_table(
        "closing_book",
        _number("operator_id"),
        _text("timezone"),
        _day("begins_on"),
        _instant("bounded_until"),
        _of_an_operator("closing_book"),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_closing_book")),
    )


def _closings() -> None:
    op.create_table(
        "closing",
        _id(),
        sa.Column("uid", sa.Uuid(), nullable=False),
        _number("operator_id"),
        _text("kind"),
        _number("number"),
        _day("first_day"),
        _day("last_day"),
        _instant("starts_at"),
        _instant("ends_at"),
        sa.Column("snapshot", sa.Text(), nullable=False),
        _text("hash"),
        _text("previous_hash", nullable=True),
        _instant("sealed_at"),
        _check("closing", "kind", "kind IN ('day', 'month', 'year')"),
        _check("closing", "period", "number >= 1 AND first_day <= last_day AND starts_at < ends_at"),
        _check("closing", "chain", "(number = 1) = (previous_hash IS NULL)"),
        _of_an_operator("closing"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing")),
        sa.UniqueConstraint("uid", name=op.f("uq_closing_uid")),
        sa.UniqueConstraint("operator_id", "kind", "number", name=op.f("uq_closing_operator_id_kind_number")),
        sa.UniqueConstraint("operator_id", "kind", "first_day", name=op.f("uq_closing_operator_id_kind_first_day")),
    )


def _archives() -> None:
    op.create_table(
        "archive_key",
        _id(),
        _text("public_key"),
        _text("host"),
        _text("previous_key", nullable=True),
        _text("endorsement", nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive_key")),
        sa.UniqueConstraint("public_key", name=op.f("uq_archive_key_public_key")),
    )
    op.create_table(
        "sealed_archive",
        _id(),
        sa.Column("uid", sa.Uuid(), nullable=False),
        _number("operator_id"),
        _day("month"),
        _text("host"),
        _text("path"),
        _number("octets"),
        _text("sha256"),
        _text("public_key"),
        sa.Column("by_itself", sa.Boolean(), nullable=False),
        _instant("made_at"),
        _check("sealed_archive", "month", "extract(day from month) = 1"),
        _of_an_operator("sealed_archive"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_archive")),
        sa.UniqueConstraint("uid", name=op.f("uq_sealed_archive_uid")),
    )
    op.create_index(op.f("ix_sealed_archive_operator_id"), "sealed_archive", ["operator_id"], unique=False)


def _the_line() -> None:
    """Whatever a closing counts holds its operator's books in share until it commits, and is recorded at the line at
    the earliest. Documents of a series are recorded in the order of their numbers, so that no month has a gap."""
    op.execute(
        """
        CREATE FUNCTION line_of_books(operator_id bigint) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(hashtextextended('closing_book', operator_id));
            RETURN (SELECT b.bounded_until FROM closing_book b WHERE b.operator_id = line_of_books.operator_id);
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION records_in_open_books() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.created_at := greatest(NEW.created_at, line_of_books(NEW.operator_id));
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION finalises_in_open_books() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.finalised_at := greatest(NEW.finalised_at, line_of_books(NEW.operator_id), (
                SELECT i.finalised_at FROM invoice i WHERE i.operator_id = NEW.operator_id AND i.series = NEW.series
                AND i.sequence = NEW.sequence - 1));
            RETURN NEW;
        END $$
        """
    )
    for table, instant, function in RECORDED:
        op.create_index(f"ix_{table}_operator_id_{instant}", table, ["operator_id", instant], unique=False)
        op.execute(
            f"CREATE TRIGGER records_in_open_books BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def _never_changed() -> None:
    op.execute(
        """
        CREATE FUNCTION closing_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is neither changed nor removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in ("closing", "sealed_archive", "archive_key"):
        op.execute(
            f"CREATE TRIGGER closing_is_final BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION closing_is_final()"
        )
        op.execute(
            f"CREATE TRIGGER closings_are_final BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION closing_is_final()"
        )
