"""Other people's servers on the loopback: HTTPS with certificates of an authority made for the test, and every vice.

    with Receiver(authority, answer) as receiver:
        receiver.url("/hook"), receiver.heard

`answer(exchange)` is called in a thread of its own for each request, after it was noted in `heard`.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
NAME = "receiver.example"
PATIENCE = 30.0


def resolves(**names: list[str]) -> Callable[[str, int], list[str]]:
    """A DNS of this table, dots written as two underscores; every other name is unknown to it."""
    table = {name.replace("__", "."): addresses for name, addresses in names.items()}
    return lambda host, _port: table.get(host, [])


def to_the_loopback(_host: str, _port: int) -> list[str]:
    """A DNS in which every name is this machine."""
    return [HOST]


class Authority:
    """An authority of certificates that only those who are handed `ca_file` trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        signed = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.ca_file = str(folder / "authority.pem")
        Path(self.ca_file).write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """What a server called `names` (or at these addresses) shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        signed = self._sign(subject, key, x509.SubjectAlternativeName([_san(name) for name in names]), expired=expired)
        path = self._folder / f"{names[0]}-{signed.serial_number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        *,
        expired: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        begins, ends = (-20, -10) if expired else (-1, 10)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins))
            .not_valid_after(now + timedelta(days=ends))
            .add_extension(extension, critical=True)
            .sign(self._key, hashes.SHA256())
        )


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Exchange:
    """One request, and the hand that answers it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    channel: ssl.SSLSocket = field(repr=False)
    ended: threading.Event = field(repr=False)
    at: float = field(default_factory=time.time)

    def reply(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        given = {"Content-Length": str(len(body) if length is None else length)}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.send(f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + body)

    def send(self, data: bytes) -> None:
        self.channel.sendall(data)

    def drip(self, data: bytes, *, every: float) -> None:
        """A byte at a time, for as long as anybody listens."""
        for byte in data:
            self.send(bytes([byte]))
            if self.ended.wait(every):
                return

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self.ended.wait(PATIENCE)


Answering = Callable[[Exchange], None]


class Receiver:
    """An HTTPS server on a port of its own, a thread for each connection. `context=None`: it never shakes hands."""

    def __init__(self, context: ssl.SSLContext | None, answer: Answering, *, backlog: int = 128) -> None:
        self._context = context
        self._answer = answer
        self._listener = socket.create_server((HOST, 0), backlog=backlog)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[Exchange] = []
        self.connections = 0
        self.names: list[str | None] = []  # said in SNI

    def url(self, path: str = "/", *, name: str = NAME) -> str:
        return f"https://{name}:{self.port}{path}"

    def __enter__(self) -> Self:
        if self._context:
            self._context.sni_callback = lambda _channel, name, _context: self.names.append(name)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            thread = threading.Thread(target=self._serve, args=[plain], daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError, ValueError):
            if self._context is None:
                self._ended.wait(PATIENCE)
                return
            plain.settimeout(PATIENCE)
            with self._context.wrap_socket(plain, server_side=True) as channel:
                if exchange := self._read(channel):
                    with self._lock:
                        self.heard.append(exchange)
                    self._answer(exchange)

    def _read(self, channel: ssl.SSLSocket) -> Exchange | None:
        with channel.makefile("rb") as lines:
            words = lines.readline().decode().split()
            if len(words) != 3:
                return None
            headers = {}
            while line := lines.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = lines.read(int(headers.get("content-length", 0)))
        return Exchange(words[0], words[1], headers, body, channel, self._ended)


@contextmanager
def nobody_home() -> Iterator[int]:
    """A port on which a connection is neither taken nor refused."""
    with socket.create_server((HOST, 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with _knocking(port), _knocking(port), _knocking(port):
            yield port


@contextmanager
def _knocking(port: int) -> Iterator[None]:
    with socket.socket() as knock:
        knock.setblocking(False)
        knock.connect_ex((HOST, port))
        yield
