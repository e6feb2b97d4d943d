"""The lines to the servers: TCP proxies in a process of their own, so that carrying bytes costs the harness nothing.

Told on standard input, one command a line, and answered with one: `break` ends every connection of a line at once,
`cut` also refuses new ones until `mend`, `hush` carries nothing more, without a word, until `mend`.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.running import HOST, ROOT

CHUNK = 65536
Far = str | int  # the path of a Unix socket, or a port on this machine


class End:
    """One end of a connection; what it hears goes to the other end, no faster than that one takes it."""

    def __init__(self, line: Line, channel: socket.socket, *, connected: bool) -> None:
        self.line, self.channel, self.connected = line, channel, connected
        self.other: End = self
        self.unsent = b""
        self.watched = 0

    def watch(self) -> None:
        """Have the system tell of what can be done here, and of nothing else."""
        wanted = select.EPOLLIN if self.other.connected and not self.other.unsent and not self.line.hushed else 0
        if self.unsent or not self.connected:
            wanted |= select.EPOLLOUT
        if wanted == self.watched:
            return
        if not wanted:  # else it would tell of the end of a silent line without end
            self.line.poll.unregister(self.channel)
        elif not self.watched:
            self.line.poll.register(self.channel, wanted)
        else:
            self.line.poll.modify(self.channel, wanted)
        self.watched = wanted

    def happened(self, what: int) -> None:
        """Raises OSError when the connection is over."""
        if what & select.EPOLLOUT and not self.connected:
            if fault := self.channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(fault, "nobody answers")
            self.connected = True
        elif what & select.EPOLLOUT:
            self.pass_on(self.unsent)
        if what & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and not self.line.hushed:
            if not (heard := self.channel.recv(CHUNK)):
                raise ConnectionResetError
            self.other.pass_on(heard)
        self.watch()
        self.other.watch()

    def pass_on(self, data: bytes) -> None:
        try:
            sent = self.channel.send(data)
        except BlockingIOError:
            sent = 0
        self.unsent = data[sent:]

    def close(self) -> None:
        for end in (self, self.other):
            self.line.ends.pop(end.channel.fileno(), None)
            end.channel.close()


@dataclass
class Line:
    """What listens on `port` and leads to `far`."""

    far: Far
    poll: select.epoll
    port: int = 0
    listener: socket.socket | None = None
    hushed: bool = False
    ends: dict[int, End] = field(default_factory=dict)  # by file descriptor

    def take_call(self) -> None:
        assert self.listener is not None
        near = End(self, self.listener.accept()[0], connected=True)
        far = End(self, socket.socket(socket.AF_INET if isinstance(self.far, int) else socket.AF_UNIX), connected=False)
        near.other, far.other = far, near
        for end in (near, far):
            end.channel.setblocking(False)
            self.ends[end.channel.fileno()] = end
        fault = far.channel.connect_ex((HOST, self.far) if isinstance(self.far, int) else self.far)
        if fault not in (0, errno.EINPROGRESS):
            near.close()
            return
        near.watch()
        far.watch()

    def sever(self) -> None:
        while self.ends:
            next(iter(self.ends.values())).close()

    def cut(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        self.sever()

    def hush(self) -> None:
        self.hushed = True
        for end in self.ends.values():
            end.watch()

    def mend(self) -> None:
        self.hushed = False
        for end in self.ends.values():
            end.watch()
        if self.listener is None:
            self.listener = socket.create_server((HOST, self.port), backlog=128)
            self.port = self.listener.getsockname()[1]
            self.poll.register(self.listener, select.EPOLLIN)


COMMANDS = {"break": Line.sever, "cut": Line.cut, "hush": Line.hush, "mend": Line.mend}


def carry(far_ends: dict[str, Far]) -> None:
    """Until standard input ends."""
    with select.epoll() as poll:
        lines = {name: Line(far, poll) for name, far in far_ends.items()}
        for line in lines.values():
            line.mend()
        _say(json.dumps({name: line.port for name, line in lines.items()}))
        poll.register(sys.stdin, select.EPOLLIN)
        while True:
            for number, what in poll.poll():
                if number != sys.stdin.fileno():
                    _tend(lines.values(), number, what)
                elif told := sys.stdin.readline().split():
                    COMMANDS[told[0]](lines[told[1]])
                    _say("done")
                else:
                    return


def _tend(lines: Iterable[Line], number: int, what: int) -> None:
    for line in lines:
        if line.listener is not None and number == line.listener.fileno():
            line.take_call()
        elif end := line.ends.get(number):
            try:
                end.happened(what)
            except BlockingIOError:  # what happened was about another connection that had this number
                continue
            except OSError:
                end.close()


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


class Lines:
    """The lines as the harness sees them: `ports[name]`, and `tell("cut", name)`."""

    def __init__(self, far_ends: dict[str, Far], log: Path) -> None:
        self._log = log.open("ab")
        argv = [sys.executable, "-m", "tests.chaos.lines", json.dumps(far_ends)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
        self.ports: dict[str, int] = json.loads(self._answer())

    def tell(self, command: str, name: str) -> None:
        assert self._process.stdin is not None
        print(command, name, file=self._process.stdin, flush=True)
        assert self._answer() == "done\n"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Its standard input closes, and it ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


if __name__ == "__main__":
    carry(json.loads(sys.argv[1]))
