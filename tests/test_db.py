"""Connections that the server has ended are noticed before a request meets them, and errors say nothing of people."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from app.db import Statement, TenantSession, connection_lost, make_engine, sessions, transaction
from app.tenancy import SYSTEM
from tests.waiting import until

ONE = Statement("SELECT CAST(:number AS int) AS number")


def end_all_connections(server: str, database_url: str) -> None:
    """As a restart of the server does: every client of this database is told to go."""
    name = database_url.split("?")[0].rpartition("/")[2]
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"
    left = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
    with admin.connect() as connection:
        connection.execute(text(ended), {"name": name})
        until(lambda: connection.execute(left, {"name": name}).scalar_one() == 0, describe="all are gone")
    admin.dispose()


def test_a_connection_that_was_ended_while_it_waited_in_the_pool_is_replaced_unnoticed(
    server: str, database_url: str
) -> None:
    engine = make_engine(database_url)
    make_session = sessions(engine)
    with make_session() as one, make_session() as other:
        for session in (one, other):
            session.info["scope"] = SYSTEM
            assert ONE.run(session, {"number": 1}).one().number == 1
    end_all_connections(server, database_url)
    for number in range(3):
        with transaction(make_session, SYSTEM) as session:
            assert ONE.run(session, {"number": number}).one().number == number
    engine.dispose()


def test_a_connection_lost_in_the_middle_is_told_and_the_next_transaction_has_a_new_one(
    server: str, database_url: str, make_session: sessionmaker[TenantSession]
) -> None:
    with pytest.raises(DBAPIError) as lost, transaction(make_session, SYSTEM) as session:
        ONE.run(session, {"number": 1})
        end_all_connections(server, database_url)
        ONE.run(session, {"number": 2})
    assert connection_lost(lost.value)
    with transaction(make_session, SYSTEM) as session:
        assert ONE.run(session, {"number": 3}).one().number == 3


def test_errors_do_not_tell_the_parameters(make_session: sessionmaker[TenantSession]) -> None:
    for statement in (Statement("SELECT CAST(:email AS int)"), None):
        with pytest.raises(DBAPIError) as failed, transaction(make_session, SYSTEM) as session:
            if statement:
                statement.run(session, {"email": "somebody@example.org"})
            else:
                session.connection().execute(
                    text("SELECT 1 / (length(:email) - 20)"), {"email": "somebody@example.org"}
                )
        assert "parameters" not in str(failed.value) or "hidden" in str(failed.value)
