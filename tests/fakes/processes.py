"""Servers as processes of their own, ended in the end."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import until

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def process(module: str, *arguments: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module` that listens on `port`; it is ended on the way out."""
    command = [sys.executable, "-m", module, "--port", str(port), *arguments]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), within=20, describe=f"{module} listens")
        yield started
    finally:
        started.terminate()
        started.wait(timeout=10)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
