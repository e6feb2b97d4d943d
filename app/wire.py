"""How octets come from RabbitMQ: many at a time, and never waited for without end.

py-amqp asks the system for a frame's first seven octets, then for the frame, then for its last octet, and a message is
three frames. When the broker falls silent within a frame it asks again for ever, whatever time-out the socket has.
"""

from __future__ import annotations

from typing import Any

from amqp.transport import TCPTransport
from kombu.transport import pyamqp

CHUNK = 16384  # octets; what is left over waits in the transport's own buffer


class Octets(TCPTransport):
    """A TCP transport that reads what is there, and calls silence a time-out at whatever point it comes."""

    def _setup_transport(self) -> None:
        super()._setup_transport()
        self._quick_recv = self._receive

    def _receive(self, _wanted: int) -> bytes:
        try:
            return self.sock.recv(CHUNK)
        except BlockingIOError as error:
            raise TimeoutError("the broker says nothing") from error


class Connection(pyamqp.Connection):
    def Transport(self, host: str, connect_timeout: Any, ssl: Any = False, *args: Any, **options: Any) -> Any:
        if ssl:
            return super().Transport(host, connect_timeout, ssl, *args, **options)
        read_timeout, write_timeout = args
        return Octets(host, connect_timeout, read_timeout, write_timeout, **options)


class Transport(pyamqp.Transport):
    """What kombu is given for amqp:// addresses."""

    Connection = Connection
