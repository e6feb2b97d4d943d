"""The pulse of a worker's loops: each says that it is alive; the watchdog ends a process in which one no longer does.

A loop belongs to a thread. It beats at least every second, and around whatever may take longer than that.
"""

from __future__ import annotations

import threading
import time

REST_S = 1.0  # the longest that a resting loop says nothing

_beats: dict[int, int] = {}  # by thread, a number that only grows


def beat() -> None:
    """The current thread's loop is alive."""
    thread = threading.get_ident()
    _beats[thread] = _beats.get(thread, 0) + 1


def beats(thread: int) -> int:
    """How often a thread has beaten so far."""
    return _beats.get(thread, 0)


def rest(stop: threading.Event, seconds: float) -> None:
    """Rest so many seconds, or until `stop`, beating meanwhile."""
    until = time.monotonic() + seconds
    while True:
        beat()
        left = until - time.monotonic()
        if stop.wait(max(0.0, min(left, REST_S))) or left <= REST_S:
            return
