"""The database itself keeps the ledger balanced and append-only, whoever speaks to it: tried in SQL."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app.billing.ledger.posting import post
from app.network.models import Operator
from tests.billing.ledger.books import a_posting
from tests.builders import an_operator
from tests.conftest import Clock

HEADER = text("""
    INSERT INTO posting (uid, operator_id, day, currency, kind, key, facts, digest)
    VALUES (gen_random_uuid(), :operator_id, '2026-03-02', 'EUR', 'manual', :key, '{}', sha256('')) RETURNING id
""")


@pytest.fixture
def operator(session: Session, clock: Clock) -> Operator:
    """With one posting in the books."""
    operator = an_operator(session)
    post(session, [a_posting(operator, key="posted")], now=clock.now)
    session.commit()
    return operator


def header(connection: Connection, operator: Operator, key: str = "by hand") -> int:
    return int(connection.execute(HEADER, {"operator_id": operator.id, "key": key}).scalar_one())


def entries(connection: Connection, operator: Operator, posting_id: int, *cents: int, day: str = "2026-03-02") -> None:
    """One statement with a line for each amount."""
    rows = ", ".join(
        f"({posting_id}, (SELECT coalesce(max(no), 0) FROM ledger_entry WHERE posting_id = {posting_id}) + {n},"
        f" {operator.id}, '{day}', 'cash', {amount})"
        for n, amount in enumerate(cents, start=1)
    )
    connection.execute(
        text(f"INSERT INTO ledger_entry (posting_id, no, operator_id, day, account, cents) VALUES {rows}")
    )


def test_what_balances_is_taken(engine: Engine, operator: Operator) -> None:
    with engine.begin() as connection:
        posting_id = header(connection, operator)
        entries(connection, operator, posting_id, 5, -3, -2)
        entries(connection, operator, posting_id, 7, -7)


def test_entries_out_of_balance_are_refused(engine: Engine, operator: Operator) -> None:
    with pytest.raises(IntegrityError, match="out of balance by 1 cents"), engine.begin() as connection:
        entries(connection, operator, header(connection, operator), 100, -99)


def test_a_header_without_entries_is_refused_at_the_end(engine: Engine, operator: Operator) -> None:
    connection = engine.connect()
    header(connection, operator)
    with pytest.raises(IntegrityError, match="has no entries"):
        connection.commit()
    connection.close()


def test_the_end_of_the_transaction_finds_what_the_statement_did_not(engine: Engine, operator: Operator) -> None:
    """The second layer, with the first removed."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger_entry DISABLE TRIGGER entries_come_balanced"))
    connection = engine.connect()
    entries(connection, operator, header(connection, operator), 100, -99)
    with pytest.raises(IntegrityError, match="out of balance by 1 cents"):
        connection.commit()
    connection.close()


def test_nothing_is_slipped_in_once_the_end_was_checked_early(engine: Engine, operator: Operator) -> None:
    with pytest.raises(IntegrityError, match="out of balance"), engine.begin() as connection:
        posting_id = header(connection, operator)
        entries(connection, operator, posting_id, 5, -5)
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        entries(connection, operator, posting_id, 1)


def test_a_posting_of_another_transaction_gets_no_more_entries(engine: Engine, operator: Operator) -> None:
    with pytest.raises(IntegrityError, match="not opened in this transaction"), engine.begin() as connection:
        posting_id = connection.execute(text("SELECT id FROM posting")).scalar_one()
        entries(connection, operator, posting_id, 5, -5)


def test_an_entry_of_another_operator_or_day_of_nothing_or_of_no_posting_is_refused(
    engine: Engine, session: Session, operator: Operator
) -> None:
    other = an_operator(session)
    session.commit()
    for wrong in ("operator", "day", "zero", "posting"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            posting_id = header(connection, operator)
            amounts = (0,) if wrong == "zero" else (5, -5)
            day = "2026-03-03" if wrong == "day" else "2026-03-02"
            whose = other if wrong == "operator" else operator
            entries(connection, whose, posting_id + (wrong == "posting"), *amounts, day=day)


def test_what_is_written_is_neither_changed_nor_removed(engine: Engine, operator: Operator) -> None:
    for table in ("posting", "ledger_entry"):
        for change in (f"UPDATE {table} SET day = day", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
                connection.execute(text(change))
