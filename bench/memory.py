"""What the embedded set-up weighs under load: proportional set sizes, so that shared pages count once."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psutil

from bench.load import ROOT, ask, connected, drive, free_port, until

SECONDS = 15.0
WEB_BUDGET_MB, TOTAL_BUDGET_MB = 130.0, 550.0
MIB = 1024 * 1024
PASSWORD = "of-the-benchmark-only"

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """`web_worker_mb` (the largest) and `embedded_total_mb` of `passerelle up --demo` under load.

    Eight clients sign in, search, read pages and book, until the end.
    """
    with TemporaryDirectory(prefix="passerelle-") as folder:
        port = free_port()
        given = {**os.environ, "PASSERELLE_HOME": str(Path(folder) / "home"), "PORT": str(port)}
        given["PASSERELLE_DEMO_PASSWORD"] = PASSWORD
        given.pop("DATABASE_URL", None)
        with open(Path(folder) / "up.log", "wb") as log:
            command = [sys.executable, "-m", "app.cli", "up", "--demo"]
            up = subprocess.Popen(command, cwd=ROOT, env=given, stdout=log, stderr=log, start_new_session=True)
        try:
            until(lambda: _ready(port), within=90)
            drive([port], [_client(port, number) for number in range(8)], seconds=SECONDS)
            web, total = _weigh(up.pid)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)
    return [_figure("web_worker_mb", web, WEB_BUDGET_MB), _figure("embedded_total_mb", total, TOTAL_BUDGET_MB)]


def _ready(port: int) -> bool:
    try:
        with connected(port) as side:
            return ask(side, _get("/readyz"))[0] == 200
    except OSError:
        return False


def _client(port: int, number: int) -> Iterator[bytes]:
    """What people do most: look at spaces, at what is free, at the pages; now and then sign in, and book."""
    with connected(port) as side:
        given = json.loads(ask(side, _sign_in())[1])
        pool = json.loads(ask(side, _get("/api/v1/spaces/la-cantine/resources"))[1])[0]["id"]
    day = datetime.now(UTC).date() + timedelta(days=20)
    reads = [
        "/", "/spaces/ath", "/api/v1/spaces?limit=50",
        f"/api/v1/availability?kind=desk_pool&start={day}T09:00:00Z&end={day}T12:00:00Z&near=50.6,4.0&within_km=400",
        f"/api/v1/spaces/ath/occupancy?day={day}",
    ]  # fmt: skip
    for turn in itertools.count():
        yield from map(_get, reads)
        yield _book(given["token"], pool, day + timedelta(days=turn % 300), 8 + number)
        if turn % 20 == 0:
            yield _sign_in()


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _sign_in() -> bytes:
    return _post("/api/v1/tokens", {"email": "payg@passerelle.example", "password": PASSWORD})


def _book(token: str, pool: str, day: date, hour: int) -> bytes:
    wish = {"resource_id": pool, "start": f"{day}T{hour:02d}:00:00Z", "end": f"{day}T{hour:02d}:30:00Z"}
    return _post("/api/v1/bookings", wish, f"Authorization: Bearer {token}\r\nIdempotency-Key: {uuid4()}\r\n")


def _post(path: str, values: dict[str, str], more: str = "") -> bytes:
    body = json.dumps(values).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _weigh(root: int) -> tuple[float, float]:
    """The heaviest web worker and everything together, in MiB."""
    everything = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    weights = {process.pid: process.memory_full_info().pss / MIB for process in everything}
    masters = {process.pid for process in everything if "gunicorn" in " ".join(process.cmdline())}
    workers = [process.pid for process in everything if process.ppid() in masters]
    return max(weights[pid] for pid in workers), sum(weights.values())


def _figure(name: str, value: float, budget: float) -> Figure:
    return {"name": name, "value": round(value, 1), "unit": "MiB", "floor": budget, "ratio": round(value / budget, 3)}
