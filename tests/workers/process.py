"""A worker process for tests, with the counting consumer only: python -m tests.workers.process NAME…

DATABASE_URL, BROKER_URL and TEST_PREFIX (of exchange and queues) come from the environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.config import Config
from tests.workers.effects import COUNTING
from workers.run import FINISH_S, run


class Worker:
    """A real process that can be killed, frozen and started again."""

    def __init__(self, *names: str, database_url: str, broker_url: str = "memory://", prefix: str = "test") -> None:
        self._names = names
        self._env = os.environ | {"DATABASE_URL": database_url, "BROKER_URL": broker_url, "TEST_PREFIX": prefix}
        self.process = self._start()

    def kill_and_restart(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process = self._start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still meanwhile, with all it holds."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask it to end; returns its exit code."""
        self.ask_to_stop()
        return self.process.wait(FINISH_S + 10)  # what does not end in time ends with a status, and says what it was

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.workers.process", *self._names]
        return subprocess.Popen(command, env=self._env, stdout=subprocess.DEVNULL)


@contextmanager
def workers(*started: Worker) -> Iterator[None]:
    """Ends them all, come what may."""
    try:
        yield
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.wait(10)


if __name__ == "__main__":
    sys.exit(
        run(sys.argv[1:], Config.from_env(), consumers={COUNTING.name: COUNTING}, prefix=os.environ["TEST_PREFIX"])
    )
