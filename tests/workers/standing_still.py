"""A process for the watchdog's tests: python -m tests.workers.standing_still stuck|unheard|beating, on quick ticks."""

from __future__ import annotations

import fcntl
import os
import sys
import threading

from app.config import Config
from app.logs import configure
from app.pulse import beat
from workers.watchdog import Watchdog

TICK_S, TICKS = 0.05, 20


def beating() -> None:
    while True:
        beat()
        threading.Event().wait(TICK_S)


def stuck() -> None:
    beat()
    a_lock_never_given_back = threading.Lock()
    a_lock_never_given_back.acquire()
    a_lock_never_given_back.acquire()


def unheard() -> None:
    """Stuck, and standard error is a pipe that is full and that nobody reads."""
    _, full = os.pipe()
    os.write(full, b"." * fcntl.fcntl(full, fcntl.F_GETPIPE_SZ))
    os.dup2(full, sys.stderr.fileno())
    stuck()


if __name__ == "__main__":
    configure(Config.from_env())
    loop = {"beating": beating, "stuck": stuck, "unheard": unheard}[sys.argv[1]]
    threads = [threading.Thread(target=each, name=each.__name__, daemon=True) for each in {loop, beating}]
    for thread in threads:
        thread.start()
    sys.stdout.write("watched\n")
    sys.stdout.flush()
    Watchdog(threads, tick_s=TICK_S, ticks=TICKS).run(threading.Event())
