"""The calendar feed against its floor: a bare Flask endpoint that returns the very same octets.

Both are served by gunicorn with the product's own settings and one worker each. Clients
on kept-open connections ask them in turn, so that whatever else the machine does hits both alike.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.orm import Session

from app.booking.calendar.feeds import open_feed
from app.booking.calendar.fragments import refresh
from app.booking.models import Booking
from app.db import make_engine, sessions, transaction
from app.network.people import find_person
from app.tenancy import SYSTEM
from tests.builders import a_booking, a_member, a_pool, a_space, a_token

EVENTS = 1_000
CLIENTS = 4  # as many as keep the worker busy while one of them waits
ROUNDS, REQUESTS = 30, 100  # in a round each client asks each side REQUESTS times
CHANGES, CHANGE_BUDGET_MS = 200, 5.0
ROOT = Path(__file__).parent.parent
SERVE = [sys.executable, "-m", "gunicorn", "-c", "python:app.gunicorn_settings"]

Figure = dict[str, Any]
Clients = list[socket.socket]  # kept-open connections


def bare() -> Flask:
    """The floor: headers and octets that were written down before, and an ETag compared."""
    folder = Path(os.environ["BENCH_FEED"])
    octets = (folder / "octets").read_bytes()
    whole, unchanged = (_read_headers(folder / name) for name in ("200", "304"))
    etag = dict(whole)["ETag"]
    app = Flask("bare")

    @app.get("/f/<secret>.ics")
    def feed(secret: str) -> Response:
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304, headers=unchanged)
        return Response(octets, headers=whole)

    return app


def figures(database_url: str) -> list[Figure]:
    """The three figures of the feed. `database_url` is an empty, migrated database."""
    secret = _seed(database_url)
    return [*serving(database_url, secret), feed_change_ms(database_url)]


def serving(database_url: str, secret: str) -> list[Figure]:
    """`feed_get_vs_bare` and `feed_304_vs_bare`: requests per second as a share of the floor's."""
    environment = {"DATABASE_URL": database_url, "WEB_WORKERS": "1"}
    with TemporaryDirectory() as folder, _served("app:create_app()", environment, folder) as product:
        get = _request(f"/f/{secret}.ics")
        head, octets = _answer(product[0], get)
        again = _request(f"/f/{secret}.ics", f"If-None-Match: {_header(head, 'ETag')}\r\n")
        (Path(folder) / "octets").write_bytes(octets)
        _write_headers(Path(folder) / "200", head)
        _write_headers(Path(folder) / "304", _answer(product[0], again)[0])
        with _served("bench.feed:bare()", {**environment, "BENCH_FEED": folder}, folder) as floor:
            return [
                _compared("feed_get_vs_bare", product, floor, get),
                _compared("feed_304_vs_bare", product, floor, again),
            ]


def feed_change_ms(database_url: str) -> Figure:
    """Worker time of one change in a calendar of a thousand events, transaction and commit included."""
    engine = make_engine(database_url)
    make_session = sessions(engine)
    with transaction(make_session, SYSTEM) as session:
        bookings = [row.uid for row in session.query(Booking).order_by(Booking.id).limit(CHANGES)]
    took = []
    for uid in bookings:
        with transaction(make_session, SYSTEM) as session:
            booking = session.query(Booking).filter_by(uid=uid).one()
            booking.revision += 1
            booking.changed_at = datetime.now(UTC)
        began = time.perf_counter()
        with transaction(make_session, SYSTEM) as session:
            refresh(session, booking_uid=uid, public_url="", now=datetime.now(UTC))
        took.append((time.perf_counter() - began) * 1000)
    engine.dispose()
    value = round(median(took), 2)
    return {
        "name": "feed_change_ms",
        "value": value,
        "unit": "ms",
        "floor": CHANGE_BUDGET_MS,
        "ratio": round(value / CHANGE_BUDGET_MS, 3),
    }


def _seed(database_url: str) -> str:
    """A member with a thousand bookings, one a working hour, and the secret of their feed."""
    engine = make_engine(database_url)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with transaction(sessions(engine), SYSTEM) as session:
        pool = a_pool(session, a_space(session), desks=1, name="Bureaux partagés")
        member = a_member(session)
        for hour in range(EVENTS):
            start = now + timedelta(hours=hour)
            booking = a_booking(
                session, pool, member, start=start, end=start + timedelta(hours=1), title=f"Réunion d’équipe {hour}"
            )
            refresh(session, booking_uid=booking.uid, public_url="", now=now)
        secret = _open(session, a_token(session, member), now)
    engine.dispose()
    return secret


def _open(session: Session, token: str, now: datetime) -> str:
    person = find_person(session, token, now=now)
    assert person is not None
    subjects = {"space_id": None, "resource_id": None}
    return open_feed(session, person=person, scope="me", subjects=subjects, name="Bench", now=now)[1]


def _compared(name: str, product: Clients, floor: Clients, asked: bytes) -> Figure:
    for side in (product, floor):
        _seconds(side, asked)
    pairs = [(_seconds(product, asked), _seconds(floor, asked)) for _ in range(ROUNDS)]
    ours, theirs = (REQUESTS * CLIENTS / median(side) for side in zip(*pairs, strict=True))
    ratio = median(theirs / ours for ours, theirs in pairs)
    return {"name": name, "value": round(ours), "unit": "requests/s", "floor": round(theirs), "ratio": round(ratio, 3)}


def _seconds(side: Clients, asked: bytes) -> float:
    """How long it takes until each client has asked REQUESTS times."""
    clients = [Thread(target=_ask, args=(connection, asked)) for connection in side]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return time.perf_counter() - began


def _ask(connection: socket.socket, asked: bytes) -> None:
    for _ in range(REQUESTS):
        _answer(connection, asked)


def _request(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n{more}\r\n".encode()


def _answer(side: socket.socket, asked: bytes) -> tuple[bytes, bytes]:
    """The head and the octets of one answer on a kept-open connection."""
    side.sendall(asked)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += side.recv(65536)
    head, octets = received[:end], received[end + 4 :]
    length = 0 if head.startswith(b"HTTP/1.1 304") else int(_header(head, "Content-Length"))
    while len(octets) < length:
        octets += side.recv(1 << 20)
    return head, octets


def _header(head: bytes, name: str) -> str:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        if line.lower().startswith(f"{name.lower()}: "):
            return line.split(": ", 1)[1]
    raise AssertionError(f"no {name} in {head!r}")


def _write_headers(file: Path, head: bytes) -> None:
    """An answer's headers for the floor to repeat, less what gunicorn adds by itself."""
    own = ("server:", "date:", "connection:", "content-length:")
    lines = head.decode("latin-1").split("\r\n")[1:]
    file.write_text("\n".join(line for line in lines if not line.lower().startswith(own)))


def _read_headers(file: Path) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(": ") for line in file.read_text().splitlines())]


@contextmanager
def _served(application: str, environment: dict[str, str], folder: str) -> Iterator[Clients]:
    """Open connections to `application`, served until the end of the block."""
    port = _free_port()
    given = {**os.environ, **environment, "PORT": str(port), "PASSERELLE_HOME": folder}
    with open(Path(folder) / f"{port}.log", "wb") as log:
        server = subprocess.Popen([*SERVE, application], cwd=ROOT, env=given, stdout=log, stderr=log)
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(_connected(port)) for _ in range(CLIENTS)]
    finally:
        server.terminate()
        server.wait(30)


def _connected(port: int, within: float = 20) -> socket.socket:
    """A connection, waited for while the server starts."""
    deadline = time.monotonic() + within
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
