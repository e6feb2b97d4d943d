"""A small HTTPS client for other people's servers, on the standard library: it trusts neither them nor their speed.

It connects to addresses that app.outside.address looked up and permitted, says the original name in SNI and Host,
checks the certificate, and follows no redirect; the environment adds no proxy. One deadline holds for the whole call,
however slowly each byte comes; one cap for all that is read.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from app.config import BadSetting
from app.errors import Problem
from app.outside.address import Policy, Resolved, Resolver, resolve

DEADLINE_S = 10.0  # name, connection, handshake, request and answer together
LOOKUP_S = 5.0  # of them, at most, for the name
MAX_READ = 256 * 1024  # of one answer, head and whatever body is still read, in bytes
AGENT = "Passerelle-Webhooks/1"


class NoAnswer(Problem):
    """There is no answer that could be read. `reason` is one of unreachable, timeout, tls, closed, not_http."""

    code = "no_answer"
    status = 502
    title = "The other server gave no answer."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: names of headers in small letters, and the beginning of the body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Limited(ssl.SSLSocket):
    """A socket whose every wait ends at one instant, and which takes in so much and no more.

    A time-out of the socket alone would hold for each read, and a server that sends a byte a second would be listened
    to for ever.
    """

    _until: float
    _left: int

    def limit(self, until: float) -> None:
        self._until, self._left = until, MAX_READ

    def recv_into(self, buffer, nbytes=None, flags=0):  # type: ignore[no-untyped-def]  # as in the ssl module
        self._hurry()
        if self._left <= 0:
            raise http.client.HTTPException(f"more than {MAX_READ} bytes")
        count = super().recv_into(buffer, nbytes, flags)
        self._left -= count
        return count

    def send(self, data, flags=0):  # type: ignore[no-untyped-def]
        self._hurry()
        return super().send(data, flags)

    def _hurry(self) -> None:
        self.settimeout(_remaining(self._until))


class Outside:
    """Calls to the outside under one policy. Threads may share it.

    Every call has a connection of its own: a handshake takes a millisecond of our time, and whatever is kept open would
    have to be checked, closed and told from a dead one.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        resolver: Resolver | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._deadline_s = deadline_s
        self._tls = _tls(policy.ca_file)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, keep: int) -> Answer:
        """POST `body`, and return whatever the server answers with the first `keep` bytes of its body.

        Raises Invalid, NameNotFound or AddressNotPermitted before anything is sent, NoAnswer when no status was heard;
        the server may then have acted all the same.
        """
        until = time.monotonic() + self._deadline_s
        where = resolve(url, policy=self._policy, resolver=self._resolver, within=min(LOOKUP_S, self._deadline_s))
        try:
            return self._exchange(where, body, headers, keep, until)
        except ssl.SSLCertVerificationError as error:
            raise NoAnswer(reason="tls", detail=error.verify_message) from error
        except TimeoutError as error:
            raise NoAnswer(reason="timeout", detail=f"no answer within {self._deadline_s:g} seconds") from error
        except ssl.SSLError as error:
            raise NoAnswer(reason="tls", detail=error.reason or "the handshake failed") from error
        except http.client.RemoteDisconnected as error:
            raise NoAnswer(reason="closed", detail="closed before an answer") from error
        except http.client.HTTPException as error:
            raise NoAnswer(reason="not_http", detail=f"{type(error).__name__}: {error}"[:200]) from error
        except OSError as error:
            raise NoAnswer(reason="closed", detail=error.strerror or type(error).__name__) from error

    def _exchange(self, where: Resolved, body: bytes, headers: Mapping[str, str], keep: int, until: float) -> Answer:
        target = where.target
        with self._connect(where, until) as channel:
            connection = http.client.HTTPSConnection(target.host, target.port, context=self._tls)
            connection.sock = channel
            connection.request("POST", target.path, body, {"Connection": "close", **headers})
            with connection.getresponse() as response:
                found = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, found, _beginning(response, keep))

    def _connect(self, where: Resolved, until: float) -> _Limited:
        """A checked connection to the first of the addresses that takes one; each has its share of the time."""
        refusal: OSError = OSError("no address")
        for left, address in zip(range(len(where.addresses), 0, -1), where.addresses, strict=True):
            try:
                plain = _open(address, where.target.port, _remaining(until) / left)
            except OSError as error:
                refusal = error
                continue
            return self._handshake(plain, where.target.host, until)
        if isinstance(refusal, TimeoutError):
            raise refusal
        raise NoAnswer(reason="unreachable", detail=refusal.strerror or str(refusal))

    def _handshake(self, plain: socket.socket, host: str, until: float) -> _Limited:
        try:
            plain.settimeout(_remaining(until))
            channel = self._tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        assert isinstance(channel, _Limited)
        channel.limit(until)
        return channel


def _tls(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # also what is no certificate
            remedy = "a PEM file of certificates that can be read"
            raise BadSetting(setting="OUTSIDE_CA_FILE", value=ca_file, remedy=remedy) from error
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = _Limited
    return context


def _open(address: str, port: int, timeout: float) -> socket.socket:
    """A connection to one address, in digits: there is no name left to look up."""
    plain = socket.create_connection((address, port), timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def _remaining(until: float) -> float:
    """Seconds left. Raises TimeoutError when there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _beginning(response: http.client.HTTPResponse, keep: int) -> bytes:
    """The first bytes of the body; of one that breaks off, or drips, what there was: the status stands."""
    found = b""
    try:
        while len(found) < keep and (more := response.read1(keep - len(found))):
            found += more
    except (OSError, http.client.HTTPException):
        pass
    return found
