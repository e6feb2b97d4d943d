"""Ends a process in which a loop stands still, so that whoever supervises it starts everything afresh.

Nothing should hang: every wait here has a time-out. This is for what nobody thought of, a lock never given back or a
server that neither answers nor hangs up. Time is counted in the watchdog's own ticks: while the process is frozen or
the machine asleep there are none, and nobody is blamed for that. Lawful work is shorter than TICKS: a statement may
take 30 s, and whatever takes longer beats (app/pulse.py) in between.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Sequence

import structlog

from app.pulse import beats

log = structlog.get_logger(__name__)

STOOD_STILL = 86  # the exit status
TICK_S = 1.0
TICKS = 90
LAST_WORDS_S = 2.0  # a log that nobody reads must not keep us


class Watchdog:
    """Watches the threads of loops; `run` in a thread of its own."""

    def __init__(self, threads: Sequence[threading.Thread], *, tick_s: float = TICK_S, ticks: int = TICKS) -> None:
        self._threads = threads
        self._tick_s = tick_s
        self._ticks = ticks
        self._last = {thread.name: (0, 0) for thread in threads}  # beats when last looked, ticks since they changed

    def run(self, done: threading.Event) -> None:
        """Until `done`; when a thread has not beaten for too many ticks, say so and end the process."""
        while not done.wait(self._tick_s):
            if stuck := self.look():
                self._end(stuck)

    def look(self) -> list[str]:
        """One tick; the names of those that live and have not beaten for too long."""
        for thread in self._threads:
            beaten, (before, ticks) = beats(thread.ident or 0), self._last[thread.name]
            self._last[thread.name] = (beaten, 0 if beaten != before else ticks + 1)
        return [each.name for each in self._threads if each.is_alive() and self._last[each.name][1] >= self._ticks]

    def _end(self, stuck: list[str]) -> None:
        last_words = threading.Thread(target=_tell, args=[stuck, self._ticks * self._tick_s], daemon=True)
        last_words.start()
        last_words.join(LAST_WORDS_S)
        os._exit(STOOD_STILL)


def _tell(stuck: list[str], seconds: float) -> None:
    """What each thread is doing, to find the fault by."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        log.error("stack", thread=names.get(ident, ident), stack="".join(traceback.format_stack(frame)))
    log.critical("stands_still", workers=stuck, seconds=seconds, exit_status=STOOD_STILL)
