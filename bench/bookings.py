"""`POST /bookings` against two floors: a bare Flask endpoint that runs the very same SQL statements, and pgbench.

The statements are not written down here: they are listened to while the product makes one booking, and then replayed
with other people, units, times and keys. Every side books free places only, from eight clients on kept-open
connections; the sides take turns, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

from flask import Flask, Response, request
from psycopg import Cursor
from sqlalchemy import make_url, select, text

from app.booking.models import ResourceUnit
from app.db import make_engine, sessions, transaction
from app.network.people import hash_secret
from app.tenancy import SYSTEM
from bench.load import Run, drive, served
from tests.builders import a_member, a_network, a_pool, a_space, a_token, an_operator

CLIENTS, WEB_WORKERS = 8, 2
ROUNDS, SECONDS = 5, 3.0
POOLS, DESKS, HOURS, PEOPLE = 12, 24, 8, 200
# Every rule on, none of them in the way.
RULES = {
    "lead_minutes": 5, "horizon_days": 900, "min_minutes": 30, "max_minutes": 600, "step_minutes": 15,
    "buffer_before_minutes": 5, "buffer_after_minutes": 10, "audience": "network", "quota_day_minutes": 100_000,
    "quota_week_minutes": 500_000, "quota_month_minutes": 1_000_000, "no_show_after_minutes": 30,
    "cancellation": [[24, 0], [2, 50], [0, 100]],
}  # fmt: skip
FIRST = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), datetime.min.time(), UTC).replace(hour=8)

Figure = dict[str, Any]
Statement = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Seeded:
    """Pools to book in (public id, ids of its units) and people who do (token, internal id)."""

    pools: list[tuple[str, list[int]]]
    people: list[tuple[str, int]]


def figures(database_url: str, pgbench: str | None = None) -> list[Figure]:
    """The figures of making a booking. `database_url` is an empty, migrated database; `pgbench` the program's path."""
    seeded = seed(database_url)
    with TemporaryDirectory() as name:
        folder = Path(name)
        environment = {"DATABASE_URL": database_url, "WEB_WORKERS": str(WEB_WORKERS), "BENCH_FOLDER": name}
        with served(os.environ.get("BENCH_APP", "app:create_app()"), folder=folder, environment=environment) as product:
            statements, answer = record(database_url, seeded)
            (folder / "recorded").write_bytes(pickle.dumps((statements, answer)))
            with served("bench.bookings:bare()", folder=folder, environment=environment) as floor:
                vs_bare, ours = _against_bare(seeded, product, floor)
        found = [vs_bare, _count(statements)]
        if pgbench:
            found.insert(1, _against_pgbench(database_url, seeded, statements, ours, pgbench, folder))
    return found


def seed(database_url: str) -> Seeded:
    engine = make_engine(database_url)
    with transaction(sessions(engine), SYSTEM) as session:
        network = a_network(session)
        space = a_space(session, operator=an_operator(session, network=network))
        pools = [a_pool(session, space, desks=DESKS, rules=RULES) for _ in range(POOLS)]
        units = {
            pool.id: list(session.scalars(select(ResourceUnit.unit_id).where(ResourceUnit.resource_id == pool.id)))
            for pool in pools
        }
        members = [a_member(session, network=network) for _ in range(PEOPLE)]
        people = [(a_token(session, member), member.id) for member in members]
        seeded = Seeded([(str(pool.uid), sorted(units[pool.id])) for pool in pools], people)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return seeded


def record(database_url: str, seeded: Seeded) -> tuple[list[Statement], bytes]:
    """The statements of one booking in a warm process, with their parameters, and the answer's body."""
    from app import create_app
    from app.config import Config
    from app.http.services import Services

    app = create_app(Config.from_env({"DATABASE_URL": database_url, "PASSERELLE_HOME": os.environ["BENCH_HOME"]}))
    heard: list[Statement] = []
    own: Services = app.extensions["passerelle"]

    execute = Cursor.execute

    def hear(cursor: Any, sql: Any, parameters: Any = None, **options: Any) -> Any:
        heard.append((sql, dict(parameters or {})))
        return execute(cursor, sql, parameters, **options)

    answer = None
    with mock.patch.object(Cursor, "execute", hear):
        for hour in range(3):  # the first ones fill the cache of offers
            heard.clear()
            body, token, key = _booking(seeded, POOLS - 1, hour, 0)
            answer = app.test_client().post("/api/v1/bookings", data=body, headers=_headers(token, key))
            assert answer.status_code == 201, answer.get_data()
    own.engine.dispose()
    assert answer is not None
    return list(heard), answer.get_data()


def bare() -> Flask:
    """The floor: the very same statements over the same driver and pool, and an answer of the same length."""
    statements, answer = pickle.loads((Path(os.environ["BENCH_FOLDER"]) / "recorded").read_bytes())
    engine = make_engine(os.environ["DATABASE_URL"], pool_size=4)
    app = Flask("bare")
    app.extensions["passerelle"] = type("Own", (), {"engine": engine})  # gunicorn's settings dispose of it after a fork

    @app.post("/api/v1/bookings")
    def book() -> Response:
        given = request.get_json()
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            for sql, parameters in _filled(statements, given):
                cursor.execute(sql, parameters)
                if cursor.description:
                    cursor.fetchall()
            connection.commit()
        finally:
            connection.close()
        return Response(answer, status=201, mimetype="application/json")

    return app


def _filled(statements: list[Statement], given: dict[str, Any]) -> Iterator[Statement]:
    """The recorded statements with this request's person, unit, times and keys."""
    start = datetime.fromisoformat(given["start"])
    other: dict[str, Any] = {
        "secret_hash": hash_secret(given["token"]),
        "member": given["member"],
        "member_id": given["member"],
        "key": given["key"],
        "lock": hash(given["key"]),
        "starts_at": start,
        "ends_at": start + timedelta(minutes=30),
        "occupied_from": start - timedelta(minutes=5),
        "occupied_to": start + timedelta(minutes=40),
        "around_from": start.replace(hour=0),
        "around_to": start.replace(hour=0) + timedelta(days=1),
        "first_unit": given["units"][0],
        "last_unit_id": given["units"][-1],
        "due_at": start + timedelta(minutes=30),
        "uid": uuid4(),
        "event_id": uuid4(),
        "aggregate_id": uuid4(),
    }
    for sql, recorded in statements:
        filled = {name: other.get(name, value) for name, value in recorded.items()}
        if "units" in recorded:
            filled["units"] = given["units"] if len(recorded["units"]) > 1 else [given["unit"]]
        yield sql, filled


def _booking(seeded: Seeded, pool: int, slot: int, person: int) -> tuple[bytes, str, str]:
    start = _start(slot)
    body = {
        "resource_id": seeded.pools[pool][0],
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=30)).isoformat(),
        "title": f"Travail {slot}",
    }
    return json.dumps(body).encode(), seeded.people[person][0], uuid4().hex


def _start(slot: int) -> datetime:
    return FIRST + timedelta(days=slot // HOURS, hours=slot % HOURS)


def _headers(token: str, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": key, "Content-Type": "application/json"}


def _request(body: bytes, token: str, key: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in _headers(token, key).items()]
    head = "\r\n".join(["POST /api/v1/bookings HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *lines])
    return f"{head}\r\n\r\n".encode() + body


def _places(client: int, pools: range) -> Iterator[tuple[int, int, int]]:
    """Slot, pool and desk, each once. An hour of the day belongs to one client: nobody races here (tests/races do)."""
    for slot in itertools.count(client, CLIENTS):
        for pool in pools:
            yield from ((slot, pool, desk) for desk in range(DESKS))


def _product_client(seeded: Seeded, client: int) -> Iterator[bytes]:
    """Places in the even pools."""
    people = itertools.cycle(range(client, PEOPLE, CLIENTS))
    for slot, pool, _ in _places(client, range(0, POOLS - 2, 2)):
        yield _request(*_booking(seeded, pool, slot, next(people)))


def _bare_client(seeded: Seeded, client: int) -> Iterator[bytes]:
    """The same in the odd pools, saying which desk."""
    people = itertools.cycle(range(client, PEOPLE, CLIENTS))
    for slot, pool, desk in _places(client, range(1, POOLS - 2, 2)):
        body, token, key = _booking(seeded, pool, slot, person := next(people))
        units = seeded.pools[pool][1]
        more = {"token": token, "member": seeded.people[person][1], "key": key, "units": units, "unit": units[desk]}
        yield _request(json.dumps({**json.loads(body), **more}).encode(), token, key)


def _against_bare(seeded: Seeded, product: int, floor: int) -> tuple[Figure, float]:
    ours = [_product_client(seeded, client) for client in range(CLIENTS)]
    theirs = [_bare_client(seeded, client) for client in range(CLIENTS)]
    drive([product], ours, seconds=1.5)
    drive([floor], theirs, seconds=1.5)
    pairs = []
    for _ in range(ROUNDS):
        pairs.append((_rate(drive([product], ours, seconds=SECONDS)), _rate(drive([floor], theirs, seconds=SECONDS))))
    value, floor_value = (median(side) for side in zip(*pairs, strict=True))
    ratio = median(a / b for a, b in pairs)
    figure = {
        "name": "booking_vs_bare", "value": round(value, 1), "unit": "bookings/s", "floor": round(floor_value, 1),
        "ratio": round(ratio, 3),
    }  # fmt: skip
    return figure, value


def _rate(run: Run) -> float:
    assert set(run.statuses) == {201}, run.statuses
    return run.rate(201)


def _count(statements: list[Statement]) -> Figure:
    count = len(statements)
    return {
        "name": "booking_sql_statements", "value": count, "unit": "statements", "floor": 8, "ratio": round(count / 8, 2)
    }  # fmt: skip


def _against_pgbench(
    database_url: str, seeded: Seeded, statements: list[Statement], ours: float, pgbench: str, folder: Path
) -> Figure:
    script = folder / "booking.sql"
    script.write_text(_script(seeded, statements))
    url = make_url(database_url)
    host = url.query.get("host") or url.host or ""
    command = [
        pgbench, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", "8", "-f", str(script),
        "-h", str(host), "-U", url.username or "postgres", *(["-p", str(url.port)] if url.port else []),
        url.database or "",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found and "processed: 0" not in done.stdout, done.stdout + done.stderr
    floor = float(found[1])
    return {
        "name": "booking_vs_pgbench", "value": round(ours, 1), "unit": "bookings/s", "floor": round(floor, 1),
        "ratio": round(ours / floor, 3),
    }  # fmt: skip


# What varies from booking to booking, as pgbench writes it.
_VARIED = {
    "member": ":member", "member_id": ":member", "lock": ":lock", "uid": "gen_random_uuid()",
    "event_id": "gen_random_uuid()", "aggregate_id": "gen_random_uuid()", "key": "gen_random_uuid()::text",
    "starts_at": "{start}", "ends_at": "({start} + interval '30 min')",
    "occupied_from": "({start} - interval '5 min')", "occupied_to": "({start} + interval '40 min')",
    "around_from": "({start} - interval '9 hours')", "around_to": "({start} + interval '15 hours')",
    "due_at": "({start} + interval '30 min')",
}  # fmt: skip


def _script(seeded: Seeded, statements: list[Statement]) -> str:
    pool = seeded.pools[POOLS - 2][1]
    start = f"({_literal(FIRST)} + :slot * interval '1 hour')"
    varied = {name: expression.format(start=start) for name, expression in _VARIED.items()}
    lines = [
        f"\\set unit random({pool[0]}, {pool[-1]})", "\\set slot random(0, 7) + 24 * random(0, 850)",
        f"\\set member random({seeded.people[0][1]}, {seeded.people[-1][1]})", "\\set lock random(1, 1000000000)",
        "BEGIN;",
    ]  # fmt: skip
    for sql, parameters in statements:
        many = len(parameters.get("units", ())) > 1
        own = {**varied, "units": _literal(pool) if many else "ARRAY[:unit]::bigint[]"}
        own |= {"first_unit": str(pool[0]), "last_unit_id": str(pool[-1])}
        known = {name: own.get(name) or _literal(value) for name, value in parameters.items()}
        lines.append(" ".join((sql % known).split()) + ";")
    return "\n".join([*lines, "COMMIT;", ""])


def _literal(value: Any) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"timestamptz {_literal(value.isoformat())}"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, UUID):
        return f"'{value}'::uuid"
    if isinstance(value, list):
        kind = "bigint" if all(isinstance(each, int) for each in value) and value else "text"
        return f"ARRAY[{', '.join(_literal(each) for each in value)}]::{kind}[]"
    quoted = (
        str(value).replace("\\", "\\\\").replace("'", "''").replace(":", "\\u003a")
    )  # pgbench would take :x for its own
    return f"E'{quoted}'"
