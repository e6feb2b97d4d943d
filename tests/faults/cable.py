"""A cable that can be cut: a TCP proxy on a port of its own, so that a test need not stop what others use."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.running import HOST

CHUNK = 65536
LOOK_EVERY = 0.05  # seconds


class Cable:
    """Carries bytes between `port` and the real address; `cut` breaks every connection, and new ones are refused.

    `freeze` holds everything back and breaks nothing, as a frozen process at the far end does: connections stay, new
    ones are accepted by the system alone, nobody says a word until `thaw`. `say` puts in a word of the far end's.
    """

    def __init__(self, host: str, port: int) -> None:
        self._far_end = host, port
        self._whole = threading.Event()
        self._flowing, self._forward = threading.Event(), threading.Event()
        self.thaw()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Take connections, on the same port as before."""
        self._whole.set()
        listener = socket.create_server((HOST, self.port))
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=[listener], daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Refuse new connections and break those there are."""
        self._whole.clear()
        self.thaw()
        self._thread.join()
        with self._lock:
            for pair in self._pairs:
                for end in pair:
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Hold everything back, whole or in part."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let it flow again, what was held back first."""
        self._flowing.set()
        self._forward.set()

    def hold_back(self) -> None:
        """Hold back what goes to the far end alone."""
        self._forward.clear()

    def say(self, octets: bytes) -> None:
        """To every near end, as if the far end had said it; only while that says nothing itself."""
        with self._lock:
            for near, _ in self._pairs:
                near.sendall(octets)

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while self._whole.is_set():
                self._flowing.wait()
                if select.select([listener], [], [], LOOK_EVERY)[0]:
                    near, _ = listener.accept()
                    threading.Thread(target=self._carry, args=[near], daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._far_end) as far:
            pair = near, far
            with self._lock:
                self._pairs.append(pair)
            with suppress(OSError):
                while self._pass_on(pair):
                    pass
            with self._lock:
                self._pairs.remove(pair)

    def _pass_on(self, pair: tuple[socket.socket, socket.socket]) -> bool:
        """Carry what is there from each end to the other; False once an end is closed."""
        heard = pair if self._forward.is_set() else pair[1:]
        for end in select.select(heard, [], [], LOOK_EVERY)[0]:
            octets = end.recv(CHUNK)
            self._flowing.wait()
            if not octets:
                return False
            (pair[1] if end is pair[0] else pair[0]).sendall(octets)
        return True


@contextmanager
def cable(host: str, port: int) -> Iterator[Cable]:
    laid = Cable(host, port)
    try:
        yield laid
    finally:
        laid.cut()
