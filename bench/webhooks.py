"""10,000 webhook deliveries to 50 receivers, of which 5 hang, 5 fail and 2 redirect to a forbidden address.

The events are recorded at a steady rate and go the whole way: outbox, relay, the worker's own process, a TLS connection
each. Measured is the time from the instant an event was recorded to its arrival at a healthy receiver. The receivers
live in a process of their own; what arrived there is compared with what the database says.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, text

from app.db import make_engine, sessions, transaction
from app.events.outbox import insert_event
from app.ids import new_id
from app.network.models import Space
from app.tenancy import SYSTEM
from bench.load import ROOT, until
from tests.builders import a_member, a_space, an_operator
from tests.outside.receivers import HOST, Authority
from tests.webhooks.builders import a_webhook
from tests.webhooks.facts import made

OPERATORS, WEBHOOKS_EACH = 10, 5
RECEIVERS = OPERATORS * WEBHOOKS_EACH
KINDS = ["hang"] * 5 + ["fail"] * 5 + ["redirect"] * 2 + ["healthy"] * (RECEIVERS - 12)
DELIVERIES = 10_000
RATE = 200  # deliveries a second
BUDGET_S = 2.0

WORKER = """
import sys
from app import logs
from app.config import Config
from workers import registry
from workers.run import run
config = Config.from_env()
logs.configure(config)
sys.exit(run(["all"], config, consumers={"webhooks": registry.load()["webhooks"]}))
"""

Figure = dict[str, Any]
Arrival = dict[str, Any]


def figures(database_url: str, *, deliveries: int = DELIVERIES) -> list[Figure]:
    """`database_url` is an empty, migrated database of its own. Raises AssertionError when a delivery is lost, comes
    twice, or reaches the forbidden address."""
    engine = make_engine(database_url)
    try:
        with TemporaryDirectory() as folder, _receivers(Path(folder)) as (port, heard):
            spaces = _seed(engine, port)
            with _worker(database_url, Path(folder), port) as log:
                try:
                    _record_steadily(engine, spaces, events=deliveries // WEBHOOKS_EACH)
                    until(lambda: _healthy_left(engine) == 0, within=60)
                except Exception:
                    print(log.read_text()[-3000:], file=sys.stderr)
                    raise
            arrived = heard()
        found = _judge(engine, arrived, deliveries)
    finally:
        engine.dispose()
    ratio = round(found / BUDGET_S, 3)
    return [{"name": "webhook_healthy_p95_s", "value": found, "unit": "s", "floor": BUDGET_S, "ratio": ratio}]


def _seed(engine: Engine, port: int) -> list[Space]:
    """Ten operators, a space and five webhooks each, the vices spread over them."""
    with transaction(sessions(engine), SYSTEM) as session:
        person, operators, spaces = a_member(session), [], []
        for number in range(RECEIVERS):
            if number < OPERATORS:
                operators.append(an_operator(session))
                spaces.append(a_space(session, operator=operators[-1]))
            url = f"https://{HOST}:{port}/{KINDS[number]}/{number}"
            a_webhook(session, operator=operators[number % OPERATORS], created_by=person.id, url=url)
        return spaces


def _record_steadily(engine: Engine, spaces: list[Space], *, events: int) -> None:
    """One transaction an event, on time: a late one is made up for, not forgotten."""
    make_session = sessions(engine)
    began = time.monotonic()
    for number in range(events):
        time.sleep(max(0.0, began + number * WEBHOOKS_EACH / RATE - time.monotonic()))
        with transaction(make_session, SYSTEM) as session:
            fact = made(spaces[number % OPERATORS])
            insert_event(session, fact, aggregate_id=new_id(), seq=1, at=datetime.now(UTC))


def _healthy_left(engine: Engine) -> int:
    """Deliveries to healthy receivers that have not arrived, those of events not yet fanned out included."""
    with engine.connect() as connection:
        left = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT FROM delivery r WHERE"
                " r.consumer = 'webhooks' AND r.event_id = o.event_id AND r.state = 'done')) + (SELECT count(*) FROM"
                " webhook_delivery d JOIN webhook w ON w.id = d.webhook_id WHERE w.url LIKE '%/healthy/%'"
                " AND d.state <> 'delivered')"
            )
        )
        return int(left.scalar_one())


def _judge(engine: Engine, arrived: list[Arrival], deliveries: int) -> float:
    """The p95 of the healthy in seconds, once it is sure that every delivery is where it belongs."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT 'msg_' || d.uid AS id, d.state, w.url, extract(epoch FROM o.recorded_at) AS recorded"
                " FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook_id JOIN outbox o USING (event_id)"
            )
        ).all()
    healthy = {row.id: float(row.recorded) for row in rows if "/healthy/" in row.url}
    states = Counter((row.url.split("/")[3], row.state) for row in rows)
    times = Counter(each["id"] for each in arrived if each["kind"] == "healthy")
    assert len(rows) == deliveries, f"{len(rows)} deliveries were written"
    assert times.keys() == healthy.keys(), f"{len(healthy.keys() - times.keys())} never arrived"
    assert set(times.values()) == {1}, "some arrived more than once"
    assert all(state in ("pending", "failed", "sending", "delivered") for _, state in states), states
    assert all(state != "delivered" for kind, state in states if kind != "healthy"), states
    assert not any(each["kind"] == "forbidden" for each in arrived), "the forbidden address was called"
    print(dict(states), file=sys.stderr)
    waits = sorted(each["at"] - healthy[each["id"]] for each in arrived if each["kind"] == "healthy")
    return round(waits[int(len(waits) * 0.95)], 3)


@contextmanager
def _worker(database_url: str, folder: Path, port: int) -> Iterator[Path]:
    """The product's own worker, allowed to call the one place on the loopback; yields its log."""
    given = {
        **os.environ,
        "DATABASE_URL": database_url,
        "BROKER_URL": "memory://",
        "PASSERELLE_HOME": str(folder),
        "OUTSIDE_ALLOW": f"{HOST}:{port}",
        "OUTSIDE_CA_FILE": str(folder / "authority.pem"),
    }
    output = folder / "worker.log"
    with output.open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=given, stdout=log, stderr=log)
        try:
            until(lambda: '"working"' in output.read_text(), within=60)
            yield output
        finally:
            worker.terminate()
            worker.wait(30)


# --- the receivers, in a process of their own


@contextmanager
def _receivers(folder: Path) -> Iterator[tuple[int, Callable[[], list[Arrival]]]]:
    """Their port, and what has arrived once they have ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.webhooks", str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin and process.stdout

    def heard() -> list[Arrival]:
        assert process.stdin
        process.stdin.close()  # their sign to end
        process.wait(30)
        return [json.loads(line) for line in (folder / "arrived").read_text().splitlines()]

    try:
        yield int(process.stdout.readline()), heard
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


async def _serve(folder: Path) -> None:
    context = Authority(folder).server(HOST)
    arrived: list[Arrival] = []
    ended = asyncio.Event()
    forbidden = await asyncio.start_server(partial(_note_forbidden, arrived), HOST, 0)
    away = f"https://{HOST}:{forbidden.sockets[0].getsockname()[1]}/"
    server = await asyncio.start_server(partial(_answer, arrived, away, ended), HOST, 0, ssl=context, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    (folder / "arrived").write_text("".join(json.dumps(each) + "\n" for each in arrived))


async def _note_forbidden(arrived: list[Arrival], _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    arrived.append({"kind": "forbidden", "id": "", "at": time.time()})
    writer.close()


async def _answer(
    arrived: list[Arrival], away: str, ended: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        await reader.readexactly(int(headers["content-length"]))
        kind = head.split("/")[1]
        arrived.append({"kind": kind, "id": headers["webhook-id"], "at": time.time()})
        if kind == "hang":
            await ended.wait()
        status = {"fail": "500 -", "redirect": f"307 -\r\nLocation: {away}"}.get(kind, "204 -")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
