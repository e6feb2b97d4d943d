"""`make bench`: every figure, with its floor measured in the same run, into bench/results/latest.json and on screen.

`python -m bench bookings feed` measures some only and writes nothing.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, make_url, text

from app.db import migrate
from app.embedded import EmbeddedPostgres
from bench import availability, backbone, bank, bookings, events, feed, invoices, ledger, memory, webhooks

RESULTS = Path(__file__).parent / "results" / "latest.json"
BROKER = os.environ.get("BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")

Figure = dict[str, Any]


def main() -> int:
    wanted = sys.argv[1:] or list(MEASURED)
    with TemporaryDirectory(prefix="passerelle-") as folder, _server(Path(folder) / "home") as server:
        os.environ["BENCH_HOME"] = folder
        figures = [figure for name in wanted for figure in _measured(name, server)]
    if not sys.argv[1:]:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(
            json.dumps({"figures": figures, "machine": _machine(), "commit": _commit()}, indent=1) + "\n"
        )
    _show(figures)
    return 0


def _measured(name: str, server: EmbeddedPostgres) -> list[Figure]:
    Console(stderr=True).print(f"measuring {name} …")
    return MEASURED[name](server)


def _bookings(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_bookings") as url:
        return bookings.figures(url, str(server.installed / "bin" / "pgbench"))


def _availability(server: EmbeddedPostgres) -> list[Figure]:
    return availability.figures(server.url("postgres"))


def _feed(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_feed") as url:
        return feed.figures(url)


def _events(server: EmbeddedPostgres) -> list[Figure]:
    found = []
    for broker, name in (("memory://", "event_to_effect_embedded_p95_ms"), (BROKER, "event_to_effect_p95_ms")):
        with _database(server, "bench_events") as url:
            found += events.figures(url, broker_url=broker, name=name)
    return found


def _backbone(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_backbone") as url:
        return backbone.figures(url, broker_url=BROKER)


def _webhooks(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_webhooks") as url:
        return webhooks.figures(url)


def _ledger(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_ledger") as url:
        return ledger.figures(url)


def _invoices(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_closing") as url:
        found = invoices.closing(url)
    with _database(server, "bench_invoices") as url:
        return found + invoices.finalising(url)


def _bank(server: EmbeddedPostgres) -> list[Figure]:
    with _database(server, "bench_bank") as url:
        return bank.figures(url)


MEASURED: dict[str, Callable[[EmbeddedPostgres], list[Figure]]] = {
    "bookings": _bookings,
    "availability": _availability,
    "feed": _feed,
    "events": _events,
    "backbone": _backbone,
    "webhooks": _webhooks,
    "invoices": _invoices,
    "ledger": _ledger,
    "bank": _bank,
    "memory": lambda _server: memory.figures(),
}


@contextmanager
def _server(home: Path) -> Iterator[EmbeddedPostgres]:
    """The embedded server with the product's own settings, durable as in production."""
    server = EmbeddedPostgres(home)
    server.ensure_initialised()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _database(server: EmbeddedPostgres, name: str) -> Iterator[str]:
    """An empty, migrated database of its own."""
    admin = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        url = make_url(server.url("postgres")).set(database=name).render_as_string(hide_password=False)
        try:
            migrate(url)
            yield url
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _show(figures: list[Figure]) -> None:
    table = Table("figure", "value", "unit", "floor or budget", "ratio")
    for each in figures:
        table.add_row(*(str(each[name]) for name in ("name", "value", "unit", "floor", "ratio")))
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
