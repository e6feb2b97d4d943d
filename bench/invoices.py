"""Documents: how many a second eight processes finalise of one series, and what closing a month of 100,000 lines takes.

The floor of the first is one connection that inserts the very rows of those documents, of their charges, postings and
events, in transactions as large, into tables with the same columns and indexes; it numbers, hashes and checks nothing.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.billing.invoices.chain import verify_chain
from app.billing.invoices.closing import CUSTOMERS
from app.db import make_engine, sessions, transaction
from app.tenancy import SYSTEM
from bench.load import ROOT
from tests.billing.invoices.many import closers, many
from tests.builders import a_space

MONTH = date(2026, 3, 1)
PROCESSES, INVOICES, LINES_EACH = 8, 5000, 3
ENOUGH_PER_S = 150
PARTIES, EACH = 2000, 50
BUDGET_S, BUDGET_MB = 60, 300
TABLES = ("invoice", "posting", "ledger_entry", "outbox")

Figure = dict[str, Any]


def finalising(database_url: str) -> list[Figure]:
    """The figure of finalising, on an empty, migrated database of its own."""
    engine = make_engine(database_url)
    with transaction(sessions(engine), SYSTEM) as session:
        space = a_space(session)
        many(session, space, parties=INVOICES, each=LINES_EACH, month=MONTH)
    now = datetime.now(UTC)
    with closers(
        database_url, space.operator_id, processes=PROCESSES, month=MONTH, now=now, customers=CUSTOMERS
    ) as running:
        if any(process.wait(600) for process in running):
            raise RuntimeError("a process could not close its month")
    with transaction(sessions(engine), SYSTEM) as session:
        _check(session, space.operator_id)
        rate = _rate(session)
    engine.dispose()
    return [_figure("invoices_per_s", rate, "invoices/s", _bare_per_s(database_url)) | {"demanded": ENOUGH_PER_S}]


def closing(database_url: str) -> list[Figure]:
    """The figures of closing a large month by the command, on an empty, migrated database of its own."""
    engine = make_engine(database_url)
    with transaction(sessions(engine), SYSTEM) as session:
        space = a_space(session)
        many(session, space, parties=PARTIES, each=EACH, month=MONTH)
    command = [sys.executable, "-m", "app.cli", "close-month", f"{MONTH:%Y-%m}"]
    before = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url}, check=True, capture_output=True)
    took = time.perf_counter() - before
    most = _largest_child_mb()
    with transaction(sessions(engine), SYSTEM) as session:
        _check(session, space.operator_id, invoices=PARTIES)
    engine.dispose()
    return [
        _figure("close_month_100k_s", took, "s", BUDGET_S),
        _figure("close_month_100k_mb", most, "MB", BUDGET_MB),
    ]


def _largest_child_mb() -> float:
    """The largest resident size of any process that this one has waited for: of the command, at most."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _check(session: Session, operator_id: int, *, invoices: int = INVOICES) -> None:
    """A figure of documents that are wrong is worth nothing."""
    found = session.connection().execute(text("SELECT count(*), max(sequence) FROM invoice")).one()
    if tuple(found) != (invoices, invoices) or any(True for _ in verify_chain(session, operator_id)):
        raise RuntimeError(f"documents have gaps, or their chain does not verify: {found}")


def _rate(session: Session) -> float:
    """From the first posting that was written to the last: the processes had started."""
    took = """
        SELECT extract(epoch FROM max(recorded_at) - min(recorded_at)) FROM outbox
        WHERE type = 'invoice.finalised'
    """
    return INVOICES / float(session.connection().execute(text(took)).scalar_one())


def _bare_per_s(database_url: str) -> float:
    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        rows = {table: _copied(connection, table) for table in TABLES}
        connection.execute("CREATE TABLE bare_charge AS SELECT id, invoice_id FROM charge WHERE false")
        connection.commit()
        batches = INVOICES // CUSTOMERS
        before = time.perf_counter()
        for batch in range(batches):
            for table in TABLES:
                _insert(connection, table, rows[table][batch::batches])
            connection.execute(
                "INSERT INTO bare_charge SELECT id, id FROM charge WHERE mod(id, %s) = %s", (batches, batch)
            )
            connection.commit()
        return INVOICES / (time.perf_counter() - before)


def _copied(connection: psycopg.Connection[Any], table: str) -> list[tuple[Any, ...]]:
    """Every row of a table, and an empty table like it."""
    connection.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)")
    columns = _columns(connection, table)
    return [tuple(row) for row in connection.execute(f"SELECT {columns} FROM {table}")]


def _columns(connection: psycopg.Connection[Any], table: str) -> str:
    found = connection.execute(
        "SELECT string_agg(CASE WHEN data_type IN ('json', 'jsonb') THEN column_name || '::text' ELSE column_name END,"
        " ', ' ORDER BY ordinal_position) FROM information_schema.columns"
        " WHERE table_name = %s AND is_generated = 'NEVER'",
        (table,),
    ).fetchone()
    return str(found[0]) if found else ""


def _insert(connection: psycopg.Connection[Any], table: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        columns = _columns(connection, table).replace("::text", "")
        values = ", ".join(["%s"] * len(rows[0]))
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO bare_{table} ({columns}) VALUES ({values})", rows)


def _figure(name: str, value: float, unit: str, floor: float) -> Figure:
    shown = round(value, 1) if value < 100 else round(value)
    return {"name": name, "value": shown, "unit": unit, "floor": round(floor, 1), "ratio": round(value / floor, 3)}
