"""The HTTP side: a threaded server that may also close a connection without an answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fakes.stripe import control
from tests.fakes.stripe.fake import Fake
from tests.fakes.stripe.wire import Answer, Asked

LOOPBACK = "127.0.0.1"


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the fake keeps its own list of requests."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = unquote(address.path)
        asked = Asked(self.command, path, address.query, body, headers)
        fake = self.server.fake
        answer = control.answer(fake, asked) if path.startswith(control.PREFIX) else fake.answer(asked)
        if answer.lost:
            self._hang_up(answer)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        payload = json.dumps(answer.body, indent=2).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def _hang_up(self, answer: Answer) -> None:
        deadline = time.monotonic() + answer.held
        while time.monotonic() < deadline and not self.server.stopping.wait(0.05):
            pass
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    """Listens on loopback alone."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, fake: Fake, port: int = 0) -> None:
        self.fake = fake
        self.stopping = threading.Event()
        super().__init__((LOOPBACK, port), Handler)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{LOOPBACK}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


@contextmanager
def running(
    *,
    key: str = "sk_test_stand_in",
    webhook_url: str | None = None,
    webhook_secret: str = "whsec_stand_in",
    seed: int = 1,
) -> Iterator[Fake]:
    """A fake that serves in a thread; `fake.url` is its address."""
    fake = Fake(key, seed=seed)
    if webhook_url:
        fake.webhooks.add_endpoint(webhook_url, webhook_secret)
    server = Server(fake)
    fake.url = server.url
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="stand-in", daemon=True)
    thread.start()
    fake.start()
    try:
        yield fake
    finally:
        server.stopping.set()
        fake.stop()
        server.shutdown()
        server.server_close()
