"""Real processes for tests: the web server and workers as in production, on a database of the test's own.

    with web(database_url, home=home, workers=8) as server, Caller(server.port, token) as caller:
        answer = caller.post("/bookings", wish, key="...")

Each runs in a session of its own with its output in a file, ends with the test, and can be killed and started again.
Start them from the main thread: the kernel ends a child when the thread that started it ends.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partialmethod
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from app.bus import Bus
from app.child import ChildSpec, ended, send_all, spawn
from app.config import Config
from app.up import answers, environment
from tests.waiting import until
from workers.registry import Consumer

HOST = "127.0.0.1"
PATIENCE = 30.0  # seconds for a process to get ready or to end, and for one answer
GUNICORN = [
    sys.executable,
    "-m",
    "gunicorn",
    "-c",
    "python:app.gunicorn_settings",
    "app:create_app()",
]
# What `passerelle worker NAMES` runs, with names on the bus that no other test uses.
WORKER = """
import sys
from app import logs
from app.config import Config
from workers.run import run
config = Config.from_env()
logs.configure(config)
sys.exit(run(sys.argv[2:], config, prefix=sys.argv[1]))
"""
ROOT = Path(__file__).parent.parent
SETTINGS_OF_TESTS = ("DATABASE_URL", "BROKER_URL", "PASSERELLE_HOME", "PORT")
TROUBLE = (http.client.HTTPException, OSError)  # the connection broke, or there is nobody to connect to


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """A process of the product that a test may kill and start again; `ready` says whether it is up."""

    spec: ChildSpec
    ready: Callable[[], bool] = lambda: True
    running: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    @property
    def log(self) -> str:
        """What all its lives have written so far."""
        assert self.spec.output is not None
        return self.spec.output.read_text(errors="replace") if self.spec.output.exists() else ""

    def start(self) -> Self:
        """Start it; returns at once."""
        self.running = spawn(self.spec)
        self.starts += 1
        return self

    def wait_ready(self) -> Self:
        """Raises AssertionError with the end of its log when it ends first or takes too long."""
        until(lambda: self.has_ended or self.ready(), within=PATIENCE, describe=f"{self.spec.name} is ready")
        assert not self.has_ended, f"{self.spec.name} ended: {self.log[-3000:]}"
        return self

    @property
    def has_ended(self) -> bool:
        return self.running is not None and ended(self.running)

    def kill(self) -> None:
        """kill -9, and no word to its children: they find out by themselves, or are ended once it is gone."""
        assert self.running is not None
        self.running.kill()
        until(lambda: self.has_ended, within=PATIENCE, describe=f"{self.spec.name} is dead")

    def stop(self) -> int:
        """Ask it to end, wait, and insist after a while; its exit status."""
        assert self.running is not None
        if not self.has_ended:
            self.running.send_signal(self.spec.stop_signal)
            try:
                until(lambda: self.has_ended, within=PATIENCE, describe=f"{self.spec.name} ends")
            finally:
                send_all(self.running, signal.SIGKILL)
        return self.running.wait(timeout=PATIENCE)

    def children(self) -> list[int]:
        """The pids of its living children, the youngest last."""
        found = psutil.Process(self.pid).children()
        return [child.pid for child in found if child.status() != psutil.STATUS_ZOMBIE]


@dataclass
class Web(Process):
    port: int = field(default=0, kw_only=True)

    def kill_a_worker(self) -> None:
        """kill -9 of one web process; gunicorn replaces it."""
        victim = self.children()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in self.children(), within=PATIENCE, describe="the web process is gone")


@contextmanager
def web(
    database_url: str, *, home: Path, workers: int = 2, threads: int = 4, broker_url: str = "memory://",
    port: int | None = None, **settings: Any,
) -> Iterator[Web]:  # fmt: skip
    """gunicorn as `passerelle up` starts it, answering /healthz on a free loopback port; `settings` are Config's."""
    port = port or free_port()
    config = Config(
        home=home, database_url=database_url, broker_url=broker_url, port=port, web_workers=workers,
        web_threads=threads, log_level="WARNING", **settings,
    )  # fmt: skip
    spec = _spec("web", GUNICORN, config)
    server = Web(spec, lambda: answers(port), port=port)
    with _lives(server):
        yield server.wait_ready()


@contextmanager
def worker(
    database_url: str,
    *names: str,
    home: Path,
    broker_url: str = "memory://",
    prefix: str = "passerelle",
    **settings: Any,
) -> Iterator[Process]:
    """`passerelle worker NAMES`; `prefix` begins the names of its exchange and queues on a shared broker."""
    config = Config(home=home, database_url=database_url, broker_url=broker_url, log_level="INFO", port=0, **settings)
    spec = _spec("-".join(names), [sys.executable, "-c", WORKER, prefix, *names], config)
    process = Process(spec)
    process.ready = lambda: process.log.count('"working"') >= process.starts
    with _lives(process):
        yield process.wait_ready()


def passerelle(*arguments: str, home: Path, port: int) -> Process:
    """A command of the product, not started yet, with the embedded database under `home`."""
    config = Config(home=home, port=port, log_level="INFO")
    return Process(_spec("-".join(arguments), [sys.executable, "-m", "app.cli", *arguments], config))


@contextmanager
def broker_of_this_test(subscribers: Iterable[Consumer]) -> Iterator[Bus]:
    """RabbitMQ with an exchange and queues that no other test uses, removed at the end. Skips where none answers."""
    address = os.environ.get("BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")
    bus = Bus(address, prefix=f"passerelle-test-{uuid.uuid4().hex[:8]}")
    try:
        with bus.connection("test") as connection:
            connection.connect()
    except Exception:
        pytest.skip(f"RabbitMQ does not answer at {address}")
    yield bus
    bus.delete(subscribers)


def _spec(name: str, argv: list[str], config: Config) -> ChildSpec:
    inherited = {key: value for key, value in os.environ.items() if key not in SETTINGS_OF_TESTS}
    config.home.mkdir(parents=True, exist_ok=True)
    return ChildSpec(
        name=name,
        argv=argv,
        env=environment(config, inherited),
        output=config.home / f"{name}.log",
        cwd=ROOT,
        stop_signal=signal.SIGTERM,
    )


@contextmanager
def _lives(process: Process) -> Iterator[None]:
    process.start()
    try:
        yield
    finally:
        process.stop()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `seconds` from the first byte sent to the last byte read."""

    status: int
    headers: dict[str, str]
    content: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str | None:
        """The code of a problem."""
        return self.json.get("code") if self.headers.get("content-type") == "application/problem+json" else None


class Caller:
    """One person on one keep-alive connection to the API. `key=None` sends no Idempotency-Key."""

    def __init__(self, port: int, token: str | None = None, *, timeout: float = PATIENCE) -> None:
        self.token = token
        self.connection = http.client.HTTPConnection(HOST, port, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def open(self) -> Self:
        """Connect, and have one request answered on the connection, so that a worker of the server holds it."""
        assert self.call("GET", "/healthz").status == 200
        return self

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, etag: str | None = None
    ) -> Answer:
        """Raises what TROUBLE lists when the connection breaks; the next call opens another."""
        address = path if path.startswith(("/f/", "/healthz", "/readyz", "/metrics", "/api")) else f"/api/v1{path}"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": etag} if etag else {}
        sent = json.dumps(body).encode() if body is not None else None
        begun = time.perf_counter()
        try:
            self.connection.request(method, address, sent, headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except TROUBLE:
            self.connection.close()
            raise
        took = time.perf_counter() - begun
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content, took)

    get = partialmethod(call, "GET")
    patch = partialmethod(call, "PATCH")
    delete = partialmethod(call, "DELETE")

    def post(self, path: str, body: Any = None, *, key: str = "") -> Answer:
        """POST with the given key, else one of its own."""
        return self.call("POST", path, body, key=key or str(uuid.uuid4()))

    def persist(self, method: str, path: str, body: Any = None, *, key: str, within: float = 60.0) -> Answer:
        """The same request with the same key until somebody answers it with other than 5xx or "still running"."""

        def once() -> Answer | None:
            try:
                answer = self.call(method, path, body, key=key)
            except TROUBLE:
                return None
            return None if answer.status >= 500 or answer.code == "request_in_flight" else answer

        return until(once, within=within, every=0.1, describe=f"{method} {path} is answered")  # type: ignore[return-value]
