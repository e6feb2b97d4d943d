"""A loop that stands still ends its process, with everybody's stack in the log; a frozen process is not blamed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.pulse import beat
from tests.workers.standing_still import TICK_S, TICKS
from workers.watchdog import STOOD_STILL, Watchdog

LONG = TICK_S * TICKS


@contextmanager
def a_process(kind: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.workers.standing_still", kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "watched\n"
            yield process
        finally:
            process.kill()


def test_a_loop_that_stands_still_ends_the_process_and_the_log_says_where() -> None:
    with a_process("stuck") as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == STOOD_STILL
    assert "a_lock_never_given_back.acquire()" in said
    assert '"workers": ["stuck"]' in said


def test_a_log_that_nobody_reads_does_not_keep_it_alive() -> None:
    with a_process("unheard") as process:
        assert process.wait(20) == STOOD_STILL


def test_a_process_that_was_frozen_is_not_blamed_when_it_goes_on() -> None:
    with a_process("beating") as process:
        for _ in range(2):
            process.send_signal(signal.SIGSTOP)
            time.sleep(LONG * 2)
            process.send_signal(signal.SIGCONT)
            time.sleep(LONG / 2)
        assert process.poll() is None


def test_ticks_count_from_the_last_beat_and_who_has_ended_is_not_missed() -> None:
    beats, goes_on = threading.Semaphore(0), threading.Event()
    beaten = threading.Semaphore(0)

    def loop() -> None:
        while not goes_on.is_set():
            beats.acquire()
            beat()
            beaten.release()

    thread = threading.Thread(target=loop, name="loop")
    thread.start()
    watchdog = Watchdog([thread], ticks=3)
    for _ in range(3):
        beats.release()
        beaten.acquire()
        assert [watchdog.look() for _ in range(3)] == [[], [], []]
    assert watchdog.look() == ["loop"]
    goes_on.set()
    beats.release()
    thread.join(5)
    assert [watchdog.look() for _ in range(5)] == [[]] * 5
