"""Posting to the ledger against a bare insert of the very same rows: what digests, checks and triggers cost.

Both sides write batches as large as those of a month's close, in turns; the floor goes to tables without triggers,
foreign keys or further indexes, by the same kind of statement.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from statistics import median
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.billing.ledger.posting import Entry, Posting, post
from app.db import Statement, make_engine, sessions, transaction
from app.network.models import Operator
from app.network.parties.models import Party
from app.tenancy import SYSTEM
from tests.builders import an_operator, saved

ROUNDS, POSTINGS, LINES = 7, 1000, 3000
BARE = """
    CREATE TABLE bare_posting (LIKE posting);
    ALTER TABLE bare_posting ALTER txid DROP NOT NULL;
    CREATE TABLE bare_entry (LIKE ledger_entry);
"""
_HEADERS = Statement("""
    INSERT INTO bare_posting (id, uid, operator_id, day, currency, kind, key, facts, digest, created_at)
    SELECT n, gen_random_uuid(), :operator_id, :day, 'EUR', 'earn', k, '{}', sha256(''), :now
    FROM unnest(:ids::bigint[], :keys::text[]) AS p(n, k)
""")
_ENTRIES = Statement("""
    INSERT INTO bare_entry (posting_id, no, operator_id, day, account, party_id, cents)
    SELECT n, i, :operator_id, :day, a, p, c
    FROM unnest(:ids::bigint[], :numbers::int[], :accounts::text[], :parties::bigint[], :cents::bigint[])
         AS e(n, i, a, p, c)
""")
_numbers = itertools.count(1)
DAY = date(2026, 3, 2)

Figure = dict[str, Any]


def figures(database_url: str) -> list[Figure]:
    """`database_url` is an empty, migrated database."""
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(BARE))
    with transaction(sessions(engine), SYSTEM) as session:
        operator, party = an_operator(session), saved(session, Party(name="Customer", country="BE"))
    found = [
        _figure(engine, "ledger_post_vs_bare", lambda: _small(operator, party), POSTINGS),
        _figure(engine, "ledger_post_3000_lines_vs_bare", lambda: _long(operator, party), LINES),
    ]
    engine.dispose()
    return found


def _small(operator: Operator, party: Party) -> list[Posting]:
    """What charges that become earned post: three lines each."""
    lines = (Entry("unbilled", 1210, party.id), Entry("revenue_booking", -1000), Entry("vat_pending", -210))
    return [_posting(operator, lines) for _ in range(POSTINGS)]


def _long(operator: Operator, party: Party) -> list[Posting]:
    lines = [Entry("unbilled", 100, party.id)] * (LINES - 1)
    return [_posting(operator, (*lines, Entry("revenue_booking", -100 * (LINES - 1))))]


def _posting(operator: Operator, lines: tuple[Entry, ...]) -> Posting:
    key = f"earn:{next(_numbers)}"
    return Posting(operator.id, DAY, "EUR", "earn", key, lines, facts={"charge_id": key, "kind": "booking"})


def _figure(engine: Engine, name: str, make: Callable[[], list[Posting]], per: int) -> Figure:
    """Microseconds for a posting (or for a line of a long one), and the ratio of medians."""
    ours, floors = [], []
    for _ in range(ROUNDS):
        batch = make()
        ours.append(_timed(engine, partial(_post, batch)))
        floors.append(_timed(engine, partial(_bare, batch)))
    value, floor = (median(times) / per * 1e6 for times in (ours, floors))
    return {"name": name, "value": round(value, 1), "unit": "µs", "floor": round(floor, 1),
            "ratio": round(value / floor, 2)}  # fmt: skip


def _timed(engine: Engine, work: Callable[[Session], None]) -> float:
    start = time.perf_counter()
    with transaction(sessions(engine), SYSTEM) as session:
        work(session)
    return time.perf_counter() - start


def _post(batch: list[Posting], session: Session) -> None:
    assert post(session, batch, now=datetime.now(UTC)) == len(batch)


def _bare(batch: list[Posting], session: Session) -> None:
    ids = [next(_numbers) for _ in batch]
    common = {"operator_id": batch[0].operator_id, "day": DAY, "now": datetime.now(UTC)}
    _HEADERS.run(session, {**common, "ids": ids, "keys": [posting.key for posting in batch]})
    rows = [
        (number, no, line.account, line.party_id, line.cents)
        for number, posting in zip(ids, batch, strict=True)
        for no, line in enumerate(posting.entries, start=1)
    ]
    names = ("ids", "numbers", "accounts", "parties", "cents")
    _ENTRIES.run(session, {**common, **dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))})
