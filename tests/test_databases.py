"""A database that comes back from a test is as clean as a new copy, or is replaced by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from app.db import make_engine, sessions
from app.tenancy import SYSTEM
from tests import builders
from tests.databases import GROWTH, Databases

A_NETWORK = "INSERT INTO network (uid, slug, name, country) VALUES (gen_random_uuid(), 'n', 'N', 'BE')"
OF_IT = "DO $$ BEGIN EXECUTE format('{}', current_database()); END $$"  # of the database, whatever its name
# What no emptying would undo: each is noticed, and the database is replaced.
NOTICED = {
    "a table": "CREATE TABLE effect (id bigserial)",
    "a schema": "CREATE SCHEMA elsewhere",
    "a column": "ALTER TABLE member ADD COLUMN shoe_size int",
    "a column dropped": "ALTER TABLE outbox DROP COLUMN publish_count",
    "a default": "ALTER TABLE member ALTER COLUMN name SET DEFAULT 'Nobody'",
    "a constraint dropped": "ALTER TABLE occupancy DROP CONSTRAINT no_two_occupancies_of_a_unit_overlap",
    "a constraint not checked": "ALTER TABLE member ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
    "an index": "CREATE INDEX ON member (name)",
    "an index dropped": "DROP INDEX ix_outbox_unpublished",
    "a trigger dropped": "DROP TRIGGER entries_come_balanced ON ledger_entry",
    "a trigger switched off": "ALTER TABLE posting DISABLE TRIGGER ALL",
    "a function": "CREATE FUNCTION forget() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a temporary table's schema": "CREATE TEMPORARY TABLE mine AS SELECT 1 AS one",
    "a view": "CREATE VIEW seen AS SELECT 1 AS one",
    "a rule": "CREATE RULE never AS ON INSERT TO member DO INSTEAD NOTHING",
    "a grant": "GRANT SELECT ON member TO PUBLIC",
    "a comment": "COMMENT ON TABLE member IS 'people'",
    "a comment on the database": OF_IT.format("COMMENT ON DATABASE %I IS $c$mine$c$"),
    "a setting of the database": OF_IT.format("ALTER DATABASE %I SET jit = on"),
    "a limit of the database": OF_IT.format("ALTER DATABASE %I CONNECTION LIMIT 7"),
    "a type": "CREATE TYPE colour AS ENUM ('red')",
    "a sequence that steps otherwise": "ALTER SEQUENCE member_id_seq INCREMENT 2",
    "a sequence made anew": "ALTER TABLE member ALTER COLUMN id DROP IDENTITY; CREATE SEQUENCE member_id_seq",
    "a large object": "SELECT lo_from_bytea(0, 'abc')",
    "statistics of the planner": "INSERT INTO figure (name, value, at) VALUES ('n', 1, now()); ANALYZE figure",
    "extended statistics": "CREATE STATISTICS names ON name, email FROM member",
    "a table rewritten": "TRUNCATE quote CASCADE",
    "the first rows changed": "UPDATE alembic_version SET version_num = '0001'",
    "the first rows gone": "DELETE FROM alembic_version",
}


@pytest.fixture(scope="module")
def lent(server: str, template: str) -> Iterator[Databases]:
    with Databases(server, template) as databases:
        yield databases


@pytest.fixture(scope="module")
def as_new(lent: Databases) -> list[list[Any]]:
    """Everything that is in a copy that nobody has used."""
    address = lent.lend_fresh()
    found = everything_in(address)
    lent.take_back(address)
    return found


def run(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def everything_in(address: str) -> list[list[Any]]:
    """Every row of every catalogue and table, and where every sequence is."""
    with psycopg.connect(address) as connection:
        relations = connection.execute("""
            SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'S') AND NOT c.relisshared AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1, 2
        """).fetchall()
        found = []
        for schema, name, kind in relations:
            what = SQL("last_value, is_called") if kind == "S" else SQL("t::text")
            query = SQL("SELECT {}, {} FROM {}.{} t ORDER BY 2")
            rows = connection.execute(query.format(Literal(name), what, Identifier(schema), Identifier(name)))
            found.append(rows.fetchall())
        return found


def differing(address: str, as_new: list[list[Any]]) -> list[str]:
    """The catalogues, tables and sequences that are not as in a new copy."""
    found = zip(everything_in(address), as_new, strict=True)
    return [str((here or new)[0][0]) for here, new in found if here != new]


def a_day(address: str) -> list[int]:
    """What most tests leave behind; the numbers that their rows were given."""
    engine = make_engine(address)
    with sessions(engine)() as session:
        session.info["scope"] = SYSTEM
        space = builders.a_space(session)
        room, member = builders.a_room(session, space), builders.a_member(session)
        session.commit()
        numbers = [space.id, room.id, member.id]
    engine.dispose()
    return numbers


def used_again(lent: Databases, address: str) -> bool:
    """Give it back; whether the next to come is given the same one, and not a copy."""
    copied = lent.copied
    lent.take_back(address)
    again = lent.lend()
    assert again == address
    lent.take_back(again)
    return lent.copied == copied


def test_rows_and_numbers_are_gone_and_nothing_else_has_changed(lent: Databases, as_new: list[list[Any]]) -> None:
    address = lent.lend()
    first = a_day(address)
    assert used_again(lent, address)
    assert differing(address, as_new) == []
    assert a_day(lent.lend()) == first, "numbers begin anew"
    assert used_again(lent, address)


def test_what_may_not_be_deleted_is_deleted_all_the_same(lent: Databases, as_new: list[list[Any]]) -> None:
    address = lent.lend()
    run(address, "INSERT INTO archive_key (public_key, host) VALUES ('ab', 'here')")
    with pytest.raises(psycopg.errors.RestrictViolation):
        run(address, "DELETE FROM archive_key")
    assert used_again(lent, address)
    assert differing(address, as_new) == []


@pytest.mark.parametrize("statement", NOTICED.values(), ids=NOTICED)
def test_a_database_that_is_otherwise_is_replaced(lent: Databases, statement: str) -> None:
    address = lent.lend()
    run(address, *statement.split("; ") if not statement.startswith("DO") else [statement])
    assert not used_again(lent, address)


def test_what_was_made_and_taken_away_again_is_no_change(lent: Databases, as_new: list[list[Any]]) -> None:
    address = lent.lend()
    run(address, "CREATE TABLE effect (id bigserial)", "INSERT INTO effect DEFAULT VALUES", "DROP TABLE effect")
    assert used_again(lent, address)
    assert differing(address, as_new) == []


def test_who_stays_connected_is_ended_with_all_they_hold(lent: Databases, as_new: list[list[Any]]) -> None:
    address = lent.lend()
    with psycopg.connect(address) as open_still, psycopg.connect(address, autocommit=True) as locks:
        open_still.execute("LOCK TABLE member IN ACCESS EXCLUSIVE MODE")
        open_still.execute(A_NETWORK)
        locks.execute("SELECT pg_advisory_lock(1)")
        assert used_again(lent, address)
        for ended in (open_still, locks):
            with pytest.raises(psycopg.OperationalError):
                ended.execute("SELECT 1")
    with psycopg.connect(address) as next_one:
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
        held += "(SELECT oid FROM pg_database WHERE datname = current_database())"
        assert next_one.execute(held).fetchone() == (0,)
    assert differing(address, as_new) == []


def test_one_that_has_grown_is_replaced(lent: Databases, as_new: list[list[Any]]) -> None:
    address = lent.lend()
    big = (
        "INSERT INTO figure (name, value, at) SELECT n || repeat('x', 1000), 1, now() FROM generate_series(1, {}) AS n"
    )
    run(address, big.format(GROWTH // 1000))
    assert not used_again(lent, address)
    assert differing(address, as_new) == []


def test_one_whose_keeper_was_ended_is_replaced(lent: Databases) -> None:
    address = lent.lend()
    run(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                 " AND pid <> pg_backend_pid()")  # fmt: skip
    assert not used_again(lent, address)


def test_what_was_counted_is_counted_anew(lent: Databases) -> None:
    address = lent.lend()
    a_day(address)
    assert used_again(lent, address)
    with psycopg.connect(address) as connection:
        counted = "SELECT coalesce(sum(n_tup_ins + n_tup_del + seq_scan), 0) FROM pg_stat_user_tables"
        assert connection.execute(counted).fetchone() == (0,)


def test_no_two_have_the_same_one(lent: Databases) -> None:
    first, second = lent.lend(), lent.lend()
    assert first != second
    for address in (first, second):
        lent.take_back(address)


def test_a_prepared_transaction_is_refused_by_the_server_or_noticed(lent: Databases) -> None:
    address = lent.lend()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "BEGIN; INSERT INTO network (uid, slug, name, country) VALUES (gen_random_uuid(), 'n', 'N', 'BE')"
        )
        try:
            connection.execute("PREPARE TRANSACTION 'left behind'")
        except psycopg.errors.ObjectNotInPrerequisiteState:  # what a server says that keeps none: the default
            assert used_again(lent, address)
        else:
            assert not used_again(lent, address)


def test_a_test_that_asks_for_it_has_a_copy_of_its_own(lent: Databases) -> None:
    address = lent.lend_fresh()
    lent.take_back(address)
    assert lent.lend() != address


def test_the_fixture_gives_clean_ones(database_url: str, as_new: list[list[Any]]) -> None:
    assert differing(database_url, as_new) == []
