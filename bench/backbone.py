"""Events through RabbitMQ: how many a second the relay sends, and how many one consumer process, or two, handle.

Each event has one effect in the database: a row, written with its receipt and its cursor in a durable transaction. The
floor is the same transaction without a bus: the same statements from a bare loop on the driver, in one process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.bus import Bus
from app.config import Config
from app.db import Statement, make_engine, sessions, transaction
from app.events.catalogue import BookingAccepted, BookingMade
from app.events.envelope import Envelope
from app.events.outbox import insert_events
from app.ids import new_id
from app.tenancy import SYSTEM
from bench.load import ROOT, until
from workers import receipts
from workers.registry import Consumer
from workers.run import run

BOOKINGS, EACH = 2000, 3
EVENTS = BOOKINGS * EACH
PATIENCE_S = 120.0
ENOUGH_PER_S, ENOUGH_RELAYED_PER_S, ENOUGH_OF_TWO = 500, 2000, 1.6

_CREATE = "CREATE TABLE effect (event_id uuid, worker int DEFAULT pg_backend_pid(), consumer text)"
_EFFECT = Statement("INSERT INTO effect (event_id, consumer) VALUES (:event_id, :consumer)")

Figure = dict[str, Any]


def one(session: Session, event: Envelope, *, now: datetime) -> None:
    _EFFECT.run(session, {"event_id": event.event_id, "consumer": "one"})


def pair(session: Session, event: Envelope, *, now: datetime) -> None:
    _EFFECT.run(session, {"event_id": event.event_id, "consumer": "pair"})


ONE = Consumer("one", ("booking",), {"booking.made": one, "booking.accepted": one})
PAIR = replace(ONE, name="pair", handlers={"booking.made": pair, "booking.accepted": pair})
CONSUMERS = {"one": ONE, "pair": PAIR}


def figures(database_url: str, *, broker_url: str) -> list[Figure]:
    """Three figures, and the floor of the second, on an empty, migrated database of its own."""
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(_CREATE))
    bus = Bus(broker_url, prefix=f"passerelle-bench-{uuid.uuid4().hex[:8]}")
    try:
        _record(engine)
        relayed = _relayed_per_s(engine, bus)
        bare = _bare_per_s(engine, database_url)
        alone = _handled_per_s(engine, bus, "one", processes=1)
        both = _handled_per_s(engine, bus, "pair", processes=2)
    finally:
        bus.delete(CONSUMERS.values())
        engine.dispose()
    return [
        _figure("relay_events_per_s", relayed, "events/s", ENOUGH_RELAYED_PER_S),
        _figure("consumer_events_per_s", alone, "events/s", bare) | {"demanded": ENOUGH_PER_S},
        _figure("two_consumers_vs_one", both / alone, "times", ENOUGH_OF_TWO) | {"events_per_s": round(both)},
    ]


def _figure(name: str, value: float, unit: str, floor: float) -> Figure:
    shown = round(value, 2) if value < 100 else round(value)
    return {"name": name, "value": shown, "unit": unit, "floor": round(floor, 1), "ratio": round(value / floor, 3)}


def _record(engine: Engine) -> None:
    """Every booking's first event, then every booking's second, and so on: as they come from a busy day."""
    bookings = [new_id() for _ in range(BOOKINGS)]
    make_session = sessions(engine)
    for seq in range(1, EACH + 1):
        facts = [(_fact(uid, seq), uid, seq) for uid in bookings]
        with transaction(make_session, SYSTEM) as session:
            insert_events(session, facts, at=datetime.now(UTC))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _fact(uid: uuid.UUID, seq: int) -> BookingMade | BookingAccepted:
    booking, other = str(uid), str(uuid.uuid4())
    if seq > 1:
        return BookingAccepted(booking, other, other)
    return BookingMade(
        booking_id=booking, space_id=other, resource_id=other, member_id=other, status="confirmed",
        start="2026-03-02T08:00:00Z", end="2026-03-02T16:00:00Z", gross_cents=2420, net_cents=2000, vat_cents=420,
        currency="EUR", cover=[{"source": "money", "amount_cents": 2420}],
    )  # fmt: skip


def _relayed_per_s(engine: Engine, bus: Bus) -> float:
    with _workers(engine, bus, "relay", processes=1):
        until(lambda: not _value(engine, "SELECT count(*) FROM outbox WHERE published_at IS NULL"), within=PATIENCE_S)
    return _value(
        engine,
        """
        SELECT count(*) FILTER (WHERE published_at > began) / extract(epoch FROM max(published_at) - began)
        FROM outbox, (SELECT min(published_at) AS began FROM outbox) AS first GROUP BY began
        """,
    )


def _handled_per_s(engine: Engine, bus: Bus, name: str, *, processes: int) -> float:
    """While all the processes were at work: from the last one's first receipt to the first one's last."""
    with _workers(engine, bus, name, processes=processes):
        until(
            lambda: _value(engine, f"SELECT count(*) FROM effect WHERE consumer = '{name}'") == EVENTS,
            within=PATIENCE_S,
        )
    return _value(
        engine,
        f"""
        WITH handled AS (
            SELECT e.worker, d.at FROM effect e JOIN delivery d USING (consumer, event_id) WHERE consumer = '{name}'
        ), worked AS (SELECT min(at) AS began, max(at) AS ended FROM handled GROUP BY worker),
        together AS (SELECT max(began) AS began, min(ended) AS ended FROM worked)
        SELECT count(*) / extract(epoch FROM t.ended - t.began)
        FROM handled h, together t WHERE h.at > t.began AND h.at <= t.ended GROUP BY t.began, t.ended
        """,
    )


def _bare_per_s(engine: Engine, database_url: str) -> float:
    """The consumer's statements, without bus, envelope, session or loop around them."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT event_id, aggregate_type, aggregate_id, seq FROM outbox ORDER BY id"))
        events = [
            {**row._mapping, "consumer": "bare", "state": "done", "first": 1 if row.seq == 1 else 0} for row in rows
        ]
    with psycopg.connect(database_url) as connection:
        for event in events:
            connection.execute(receipts.TAKE.sql, event).fetchone()
            connection.execute(_EFFECT.sql, {"event_id": event["event_id"], "consumer": "bare"})
            connection.commit()
    return _value(
        engine,
        "SELECT count(*) / extract(epoch FROM max(at) - min(at)) FROM delivery WHERE consumer = 'bare'",
    )


@contextmanager
def _workers(engine: Engine, bus: Bus, name: str, *, processes: int) -> Iterator[None]:
    given = {
        **os.environ,
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "BROKER_URL": bus.url,
        "BENCH_PREFIX": bus.prefix,
    }
    with TemporaryDirectory() as folder, ExitStack() as stack:
        log = stack.enter_context(open(Path(folder) / "worker.log", "wb"))
        for _ in range(processes):
            command = [sys.executable, "-m", "bench.backbone", name]
            process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=log, stderr=log)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        yield


def _value(engine: Engine, query: str) -> float:
    with engine.connect() as connection:
        return float(connection.execute(text(query)).scalar_one())


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Config.from_env(), consumers=CONSUMERS, prefix=os.environ["BENCH_PREFIX"]))
