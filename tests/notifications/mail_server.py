"""A mail server of an independent make on the loopback, that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.running import HOST, free_port

HANG, DROP = "hang", "drop"
GOOD = "250 OK"


@dataclass(frozen=True)
class Taken:
    """One mail as it came."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    encrypted: bool
    user: str | None


class MailServer:
    """`answers["RCPT"]` are the next answers to RCPT: a line, HANG or DROP; without any it says yes.

    It listens on the same port whenever it is started. `hears(taken)` is called before a mail is answered for.
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.answers: dict[str, list[str]] = defaultdict(list)
        self.taken: list[Taken] = []
        self.connections = 0
        self.hears: Callable[[Taken], None] = lambda _taken: None
        self.released = threading.Event()
        self._login = login
        self._options: dict[str, Any] = {"tls_context": starttls} if starttls else {}
        if login:
            self._options |= {"authenticator": self._authenticate, "auth_require_tls": bool(starttls)}
        self._tls = tls
        self._controller: Controller | None = None

    def start(self) -> Self:
        self._controller = Controller(
            self, hostname=HOST, port=self.port, ssl_context=self._tls, ready_timeout=10.0, **self._options
        )
        self._controller.start()
        self.connections = 0  # it has called itself, to see whether it listens
        return self

    def stop(self) -> None:
        self.released.set()
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
        self.released.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _authenticate(self, server: Any, session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        said = (data.login.decode(), data.password.decode())
        session.user = said[0]
        return AuthResult(success=said == self._login, handled=False)

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += session.ssl is None or self._tls is not None
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        return await self._answer("MAIL", server)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        answer = await self._answer("RCPT", server)
        if answer == GOOD:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        taken = Taken(
            envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content, session.ssl is not None,
            getattr(session, "user", None),
        )  # fmt: skip
        self.hears(taken)
        answer = await self._answer("DATA", server)
        if answer == GOOD:
            self.taken.append(taken)
        return answer

    async def _answer(self, step: str, server: Any) -> str:
        answer = self.answers[step].pop(0) if self.answers[step] else GOOD
        if answer == HANG:
            while not self.released.is_set():
                await asyncio.sleep(0.01)
        if answer == DROP:
            server.transport.abort()
        return answer if answer not in (HANG, DROP) else GOOD
