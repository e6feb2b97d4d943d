"""Availability over a thousand resources and 25,000 units: a million occupancies of history against ten thousand.

The day asked is equally full in both. The floor of the statement is a bare index-only count of the same periods, that
of HTTP is the statement. Both databases are asked in turn, so that whatever else the machine does hits both alike.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.booking.finding.availability import Search, find_places, taken_units
from app.booking.finding.places import Point
from app.db import raw, sessions, transaction
from app.tenancy import ANONYMOUS
from bench.a_large_network import DEGREES_PER_KM, LATITUDE, LONGITUDE, large_network, local
from bench.load import ask, connected, served

MUCH, LITTLE = 1_000_000, 10_000
ROUNDS, WARM_UP = 200, 20
HOURS = range(8, 16)
LENGTH = timedelta(hours=2)
IN_THE_MIDDLE = Point(LATITUDE, LONGITUDE + 99.5 * DEGREES_PER_KM)
REACH_OF_50_SPACES = 25.0  # 25 to either side, a kilometre apart

Figure = dict[str, Any]
_COUNT = raw("SELECT count(unit_id) FROM occupancy WHERE period && tstzrange(:start, :end)")


def figures(server: str) -> list[Figure]:
    """The figures of availability. On `server`, two databases are made, filled and dropped."""
    with large_network(server, history=LITTLE) as little, large_network(server, history=MUCH) as much:
        statement, floor = _statement(much)
        return [
            _figure("availability_sql_p95_ms_1m", p95(statement), "ms", p95(floor)),
            _figure("availability_http_p95_ms_1m", p95(_over_http(much)), "ms", p95(statement)),
            _growth("availability_growth_all", little, much, {}),
            _growth(
                "availability_growth_50_spaces",
                little,
                much,
                {"near": IN_THE_MIDDLE, "within_km": REACH_OF_50_SPACES},
            ),
        ]


def p95(values: list[float]) -> float:
    return sorted(values)[ceil(len(values) * 0.95) - 1]


def _figure(name: str, value: float, unit: str, floor: float) -> Figure:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "floor": round(floor, 3),
        "ratio": round(value / floor, 3),
    }


def _statement(engine: Engine) -> tuple[list[float], list[float]]:
    """Milliseconds of the one statement that availability asks (two widths, as a quarter of the resources have
    buffers), and of the bare count."""
    ours, floor = [], []
    with transaction(sessions(engine), ANONYMOUS) as session:
        for number in range(ROUNDS + WARM_UP):
            start, end = _period(number)
            widths = [(start, end), (start, end + timedelta(minutes=15))]
            ours.append(_milliseconds(partial(taken_units, session, (start, end), widths)))
            floor.append(_milliseconds(partial(session.execute, _COUNT, {"start": start, "end": end})))
    return ours[WARM_UP:], floor[WARM_UP:]


def _growth(name: str, little: Engine, much: Engine, place: dict[str, Any]) -> Figure:
    """How many times longer a whole search takes with the long history (medians)."""
    took: dict[Engine, list[float]] = {little: [], much: []}
    with transaction(sessions(little), ANONYMOUS) as one, transaction(sessions(much), ANONYMOUS) as other:
        for number in range(ROUNDS + WARM_UP):
            start, end = _period(number)
            search = Search(start=start, end=end, kind="desk_pool", order="cheapest", limit=100, **place)
            for engine, session in ((little, one), (much, other)):
                took[engine].append(_milliseconds(partial(_search, session, search)))
    before, after = (median(took[engine][WARM_UP:]) for engine in (little, much))
    return {**_figure(name, after / before, "times", 1.0), "from_ms": round(before, 2), "to_ms": round(after, 2)}


def _search(session: Session, search: Search) -> None:
    if len(find_places(session, search, person=None, now=datetime.now(UTC))) != search.limit:
        raise AssertionError("the benchmark's network should have a hundred free places")


def _over_http(engine: Engine) -> list[float]:
    """Milliseconds of a whole request with 100 results, on one kept-open connection."""
    environment = {"DATABASE_URL": engine.url.render_as_string(hide_password=False), "WEB_WORKERS": "1"}
    application = os.environ.get("BENCH_APP", "app:create_app()")
    with TemporaryDirectory() as folder, served(application, folder=Path(folder), environment=environment) as port:
        return _ask_often(port)


def _ask_often(port: int) -> list[float]:
    took = []
    with connected(port) as side:
        for number in range(ROUNDS + WARM_UP):
            began = time.perf_counter()
            status, body = ask(side, _request(number))
            took.append((time.perf_counter() - began) * 1000)
            if status != 200 or len(json.loads(body)) != 100:
                raise AssertionError(f"{status}: {body[:300]!r}")
    return took[WARM_UP:]


def _request(number: int) -> bytes:
    start, end = _period(number)
    query = urlencode({"kind": "desk_pool", "start": start.isoformat(), "end": end.isoformat(), "limit": 100})
    return f"GET /api/v1/availability?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _period(number: int) -> tuple[datetime, datetime]:
    start = local(HOURS[number % len(HOURS)])
    return start.astimezone(UTC), (start + LENGTH).astimezone(UTC)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    for figure in figures(os.environ["DATABASE_URL"]):
        print(json.dumps(figure))
