"""A bank statement of 10,000 entries against 8,000 open invoices: read, matched, posted, told.

The floor is the same file read, and the very rows that became of it inserted by one connection into tables with the
same columns and indexes; it matches, checks and locks nothing. An oracle judges every line: a figure of wrong matches
is worth nothing.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from app.billing.bank import camt
from app.billing.bank.importing import import_file
from app.db import make_engine, raw, sessions, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from bench.invoices import _copied, _insert
from tests.billing.bank.house import an_owed_operator
from tests.oracles.bank.debts import account_of, debts
from tests.oracles.bank.judging import faults
from tests.oracles.bank.mess import mess
from tests.oracles.bank.writing import Account, Sheet, file_of

ENTRIES, INVOICES, BUDGET_S = 10_000, 12_000, 10
TABLES = ("bank_line", "bank_proposal", "payment", "payment_aim", "allocation", "posting", "ledger_entry", "outbox")

Figure = dict[str, Any]


def figures(database_url: str, *, entries: int = ENTRIES, invoices: int = INVOICES) -> list[Figure]:
    """On an empty, migrated database of its own."""
    owed = debts(random.Random(1), count=invoices, prefix="ATH")
    made = mess(1, owed, entries=entries)
    octets = file_of(Account(account_of(7)), Sheet("2026/11", 0, made.entries))
    engine = make_engine(database_url)
    with transaction(sessions(engine), SYSTEM) as session:
        space = an_owed_operator(session, owed)
    with sessions(engine)() as session:
        session.info["scope"] = SYSTEM
        session.execute(raw("ANALYZE"))
        session.commit()
        before = time.perf_counter()
        import_file(session, session.get_one(Operator, space.operator_id), octets, now=datetime.now(UTC))
        session.commit()
        took = time.perf_counter() - before
        found = list(faults(session.connection(), made))
    engine.dispose()
    if found:
        raise RuntimeError(f"{len(found)} lines are not what they are: {found[:3]}")
    floor = _bare_s(database_url, octets)
    return [
        {
            "name": "bank_import_10k_s", "value": round(took, 1), "unit": "s", "floor": round(floor, 1),
            "ratio": round(took / floor, 2), "demanded": BUDGET_S,
        }
    ]  # fmt: skip


def _bare_s(database_url: str, octets: bytes) -> float:
    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        rows = {table: _copied(connection, table) for table in TABLES}
        connection.commit()
        before = time.perf_counter()
        camt.read(octets)
        for table in TABLES:
            _insert(connection, table, rows[table])
        connection.commit()
        return time.perf_counter() - before
