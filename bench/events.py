"""From a committed event to its effect, at 200 events a second: embedded (memory://) and on RabbitMQ.

The events are bookings that the calendar worker writes into feeds; the worker is the product's own process. Measured is
the time from the instant a row was recorded in the outbox, its commit included, to the receipt written with its effect.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.booking.models import Booking
from app.db import make_engine, sessions, transaction
from app.events.catalogue import BookingMade
from app.events.envelope import instant
from app.events.outbox import insert_event
from app.tenancy import SYSTEM
from bench.load import ROOT, until
from tests.builders import a_booking, a_member, a_pool, a_space

RATE, SECONDS, WARM_UP = 200, 10, 2
BUDGET_MS = 100.0

Figure = dict[str, Any]


def figures(database_url: str, *, broker_url: str, name: str) -> list[Figure]:
    """One figure called `name`. `database_url` is an empty, migrated database of its own."""
    engine = make_engine(database_url)
    facts = _seed(engine, RATE * (SECONDS + WARM_UP))
    with TemporaryDirectory() as folder, open(Path(folder) / "worker.log", "wb") as log:
        given = {**os.environ, "DATABASE_URL": database_url, "BROKER_URL": broker_url, "PASSERELLE_HOME": folder}
        command = [sys.executable, "-m", "app.cli", "worker", "all"]
        worker = subprocess.Popen(command, cwd=ROOT, env=given, stdout=log, stderr=log)
        try:
            _record_steadily(engine, facts)
            until(lambda: _received(engine) == len(facts), within=60)
        finally:
            worker.terminate()
            worker.wait(30)
    value = _p95_ms(engine)
    engine.dispose()
    return [{"name": name, "value": value, "unit": "ms", "floor": BUDGET_MS, "ratio": round(value / BUDGET_MS, 3)}]


def _seed(engine: Engine, count: int) -> list[tuple[BookingMade, Booking]]:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    with transaction(sessions(engine), SYSTEM) as session:
        space = a_space(session)
        pool, members = a_pool(session, space, desks=1), [a_member(session) for _ in range(100)]
        bookings = []
        for number in range(count):
            at = start + timedelta(hours=number)
            bookings.append(a_booking(session, pool, members[number % 100], start=at, end=at + timedelta(hours=1)))
        return [(_fact(booking, space.uid, pool.uid), booking) for booking in bookings]


def _fact(booking: Booking, space: object, resource: object) -> BookingMade:
    return BookingMade(
        booking_id=str(booking.uid), space_id=str(space), resource_id=str(resource), member_id=str(booking.uid),
        status="confirmed", start=instant(booking.starts_at), end=instant(booking.ends_at), gross_cents=0, net_cents=0,
        vat_cents=0, currency="EUR", cover=[],
    )  # fmt: skip


def _record_steadily(engine: Engine, facts: list[tuple[BookingMade, Booking]]) -> None:
    """One transaction an event, on time: a late one is made up for, not forgotten."""
    make_session = sessions(engine)
    began = time.monotonic() + 3.0  # the worker comes up meanwhile
    for number, (fact, booking) in enumerate(facts):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        with transaction(make_session, SYSTEM) as session:
            _record(session, fact, booking)


def _record(session: Session, fact: BookingMade, booking: Booking) -> None:
    insert_event(session, fact, aggregate_id=booking.uid, seq=1, at=datetime.now(UTC))


def _received(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM delivery WHERE state = 'done'")).scalar_one())


def _p95_ms(engine: Engine) -> float:
    """The first seconds, in which the worker connects and prepares its statements, do not count."""
    query = text(
        """
        SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM d.at - o.recorded_at) * 1000)
        FROM delivery d JOIN outbox o USING (event_id)
        WHERE o.recorded_at > (SELECT min(recorded_at) FROM outbox) + make_interval(secs => :warm_up)
        """
    )
    with engine.connect() as connection:
        return round(float(connection.execute(query, {"warm_up": float(WARM_UP)}).scalar_one()), 1)
