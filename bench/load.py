"""Clients that cost little: each keeps one connection open, sends requests written before, and reads the answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVE = [sys.executable, "-m", "gunicorn", "-c", "python:app.gunicorn_settings"]


@dataclass(slots=True)
class Run:
    """What came back: how many answers of each status, in how many seconds, and how long each took."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def rate(self, status: int) -> float:
        return self.statuses.get(status, 0) / self.seconds


def drive(ports: Sequence[int], requests: Sequence[Iterator[bytes]], *, seconds: float) -> Run:
    """One client a source of requests, all at once, for so many seconds. `ports` are used in turn."""
    run, lock, start = Run(), threading.Lock(), threading.Barrier(len(requests) + 1)

    def client(port: int, source: Iterator[bytes]) -> None:
        statuses: dict[int, int] = {}
        took = []
        with connected(port) as side:
            start.wait()
            until = time.perf_counter() + seconds
            while (began := time.perf_counter()) < until:
                status, _ = ask(side, next(source))
                took.append(time.perf_counter() - began)
                statuses[status] = statuses.get(status, 0) + 1
        with lock:
            run.took.extend(took)
            for status, count in statuses.items():
                run.statuses[status] = run.statuses.get(status, 0) + count

    threads = [
        threading.Thread(target=client, args=(ports[i % len(ports)], source), daemon=True)
        for i, source in enumerate(requests)
    ]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    run.seconds = time.perf_counter() - began
    return run


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as side:
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield side


def ask(side: socket.socket, request: bytes) -> tuple[int, bytes]:
    """Status and body of one answer on a kept-open connection."""
    side.sendall(request)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        if not (more := side.recv(65536)):
            raise ConnectionError("the server closed the connection")
        received += more
    head, body = received[:end], received[end + 4 :]
    length = _length(head)
    while len(body) < length:
        body += side.recv(1 << 20)
    return int(head[9:12]), body


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


@contextmanager
def served(application: str, *, folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """The port of `application`, served by gunicorn with the product's own settings until the end of the block."""
    port = free_port()
    given = {**os.environ, **environment, "PORT": str(port), "PASSERELLE_HOME": str(folder)}
    with open(folder / f"{port}.log", "wb") as log:
        server = subprocess.Popen([*SERVE, application], cwd=ROOT, env=given, stdout=log, stderr=log)
    try:
        until(lambda: _answers(port))
        yield port
    finally:
        server.terminate()
        server.wait(30)


def until(condition: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what the benchmark waits for did not come")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with connected(port):
            return True
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
