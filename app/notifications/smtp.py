"""Mails by SMTP (RFC 5321): one connection for a batch, encrypted unless it stays on this machine or a trusted network.

The server's answer at each step decides what a failure means; once it has the whole mail and does not answer, the mail
may have gone, and is sent again under the same Message-ID.
"""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from app.config import BadSetting
from app.notifications.composing import Mail
from app.notifications.transport import Refused, Rejected, Unreachable

STEP_S = 10.0  # how long the server may take for one answer
MAIL_S = 15.0  # and for a whole mail: a worker that stops waits for it
MOST_ON_A_CONNECTION = 100  # servers end connections that go on for ever
_REMEDY = "smtp://user:password@host:587, smtps://user:password@host:465 or smtp+plain://host:25"
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")

# What a server that knows no enhanced status codes (RFC 3463) means when it refuses a recipient.
STATUS_OF = {550: "5.1.1", 551: "5.1.6", 552: "5.2.2", 553: "5.1.3"}


class Security(StrEnum):
    """How a connection is encrypted: from the start, from STARTTLS on, or not at all."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


# Scheme: how it is encrypted, and the port where none is said.
SCHEMES = {"smtp": (Security.STARTTLS, 587), "smtps": (Security.TLS, 465), "smtp+plain": (Security.NONE, 25)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The mail server to hand mails to."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> Server:
        """Read SMTP_URL. Raises BadSetting, which does not repeat it: it may hold a password."""
        try:
            parts = urlsplit(url)
            security, port = SCHEMES[parts.scheme]
            host, port = parts.hostname or "", parts.port or port
        except (KeyError, ValueError):
            raise BadSetting(setting="SMTP_URL", remedy=_REMEDY) from None
        if not host or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise BadSetting(setting="SMTP_URL", remedy=_REMEDY)
        if (parts.username is None) != (parts.password is None):
            raise BadSetting(setting="SMTP_URL", remedy=f"both a user and a password, or neither: {_REMEDY}")
        if security is Security.STARTTLS and is_this_machine(host):
            security = Security.NONE
        user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        if not f"{user}{password}".isascii():
            raise BadSetting(setting="SMTP_URL", remedy="a user and a password of ASCII letters: others cannot be said")
        return cls(host=host, port=port, security=security, user=user, password=password)


def is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SmtpTransport:
    """`encryption` is the context that certificates are checked with: by the system's authorities unless given."""

    def __init__(
        self,
        server: Server,
        *,
        encryption: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        step_s: float = STEP_S,
        mail_s: float = MAIL_S,
    ) -> None:
        self._server = server
        self._encryption = encryption
        self._clock = clock
        self._step_s, self._mail_s = step_s, mail_s
        self._connection: smtplib.SMTP | None = None
        self._sent = 0
        self._deadline = 0.0

    def send(self, mail: Mail) -> None:
        self._deadline = self._clock() + self._mail_s
        connection = self._begin(mail)
        try:
            with self._heard():
                self._step(connection)
                self._judge(connection.rcpt(mail.recipient), about_the_address=True)
                self._step(connection)
                self._judge(self._data(connection, mail.octets))
        except (Refused, Rejected):
            self._reset()
            raise
        self._sent += 1

    def _data(self, connection: smtplib.SMTP, octets: bytes) -> tuple[int, bytes]:
        """The answer to the mail, or to the wish to send one."""
        try:
            return connection.data(octets)
        except smtplib.SMTPDataError as refused:
            error = refused.smtp_error
            return refused.smtp_code, error if isinstance(error, bytes) else error.encode()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(smtplib.SMTPException, OSError):
                if connection.sock is not None:
                    connection.sock.settimeout(1.0)
                connection.quit()
            connection.close()

    def _begin(self, mail: Mail) -> smtplib.SMTP:
        """MAIL FROM on the open connection, or on another one where the server has ended that meanwhile."""
        if self._sent >= MOST_ON_A_CONNECTION:
            self.close()
        if self._connection is not None:
            with suppress(Unreachable):
                return self._open(self._connection, mail)
        with self._heard():
            connection = self._connection = self._connect()
        return self._open(connection, mail)

    def _open(self, connection: smtplib.SMTP, mail: Mail) -> smtplib.SMTP:
        with self._heard():
            self._step(connection)
            answer = connection.mail(mail.sender)
        if answer[0] == 421:
            self.close()
            raise Unreachable(_told(answer))
        if answer[0] != 250:
            self._reset()
            raise Rejected(_told(answer))
        return connection

    def _connect(self) -> smtplib.SMTP:
        self._sent = 0
        server, context = self._server, self._encryption or ssl.create_default_context()
        kept = min(self._step_s, self._left())
        if server.security is Security.TLS:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=kept, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=kept)
        try:
            self._greet(connection, context)
        except BaseException:
            connection.close()
            raise
        return connection

    def _greet(self, connection: smtplib.SMTP, context: ssl.SSLContext) -> None:
        self._step(connection)
        connection.ehlo_or_helo_if_needed()
        if self._server.security is Security.STARTTLS:
            self._step(connection)
            connection.starttls(context=context)
            connection.ehlo()
        if self._server.user is not None and self._server.password is not None:
            self._step(connection)
            connection.login(self._server.user, self._server.password)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Whatever is wrong with the connection makes an end of it, and is Unreachable."""
        try:
            yield
        except (Refused, Rejected):
            raise
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise Unreachable(_said(error)) from error

    def _step(self, connection: smtplib.SMTP) -> None:
        """The next answer has as long as one answer may take, and no longer than the mail has left."""
        if connection.sock is not None:
            connection.sock.settimeout(min(self._step_s, self._left()))

    def _left(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError("the mail took too long")
        return left

    def _judge(self, answer: tuple[int, bytes], *, about_the_address: bool = False) -> None:
        """Raises what the answer to RCPT or DATA means."""
        code, text = answer[0], _text(answer)
        if code in (250, 251):
            return
        if code == 421:
            raise smtplib.SMTPServerDisconnected(_told(answer))
        found = _STATUS.search(text)
        status = found[1] if found else STATUS_OF.get(code, "") if about_the_address else ""
        if code >= 500 and status.startswith(("5.1.", "5.2.")):
            raise Refused(status, text)
        raise Rejected(_told(answer))

    def _reset(self) -> None:
        """Ready for the next mail; a connection that is not is ended."""
        if self._connection is not None:
            try:
                self._step(self._connection)
                self._connection.rset()
            except (smtplib.SMTPException, OSError):
                self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _text(answer: tuple[int, bytes]) -> str:
    return " ".join(answer[1].decode("utf-8", "replace").split())[:300]


def _told(answer: tuple[int, bytes]) -> str:
    return f"{answer[0]} {_text(answer)}"


def _said(error: Exception) -> str:
    """What happened, without what was sent: an error of signing in may quote it."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}: {error.smtp_code}"
    return f"{type(error).__name__}: {error}"[:300]
