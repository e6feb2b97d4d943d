"""What the embedded set-up weighs under load: proportional set sizes, so that shared pages count once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bench.load import ROOT, ask, connected, drive, free_port, until

SECONDS = 15.0
WEB_BUDGET_MB, TOTAL_BUDGET_MB = 130.0, 550.0
MIB = 1024 * 1024

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """`web_worker_mb` (the largest) and `embedded_total_mb` of `passerelle up --demo` while clients search and read."""
    with TemporaryDirectory(prefix="passerelle-") as folder:
        port = free_port()
        given = {**os.environ, "PASSERELLE_HOME": str(Path(folder) / "home"), "PORT": str(port)}
        given.pop("DATABASE_URL", None)
        with open(Path(folder) / "up.log", "wb") as log:
            command = [sys.executable, "-m", "app.cli", "up", "--demo"]
            up = subprocess.Popen(command, cwd=ROOT, env=given, stdout=log, stderr=log, start_new_session=True)
        try:
            until(lambda: _ready(port), within=90)
            drive([port], [_reading(port) for _ in range(8)], seconds=SECONDS)
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


def _reading(port: int) -> Iterator[bytes]:
    """What people do most: look at spaces, at what is free, and at the pages."""
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() + 86_400 * 20))
    paths = [
        "/", "/spaces/ath", "/api/v1/spaces?limit=50",
        f"/api/v1/availability?kind=desk_pool&start={day}T09:00:00Z&end={day}T12:00:00Z&near=50.6,4.0&within_km=400",
        f"/api/v1/spaces/ath/occupancy?day={day}",
    ]  # fmt: skip
    while True:
        yield from map(_get, paths)


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _weigh(root: int) -> tuple[float, float]:
    """The heaviest web worker and everything together, in MiB."""
    everything = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    weights = {process.pid: process.memory_full_info().pss / MIB for process in everything}
    masters = {process.pid for process in everything if "gunicorn" in " ".join(process.cmdline())}
    workers = [process.pid for process in everything if process.ppid() in masters]
    return max(weights[pid] for pid in workers), sum(weights.values())


def _figure(name: str, value: float, budget: float) -> Figure:
    return {"name": name, "value": round(value, 1), "unit": "MiB", "floor": budget, "ratio": round(value / budget, 3)}
