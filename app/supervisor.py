"""Keeps a handful of processes alive, and ends them in order.

A child that dies is started again after 0.2 s, then after twice as long each time up to 10 s; 30 s alive forgives the
past. On SIGINT, SIGTERM or SIGHUP the children end one after the other, the last started first, so that the database
outlives those who write to it; a second signal ends them by force. When the supervisor itself is killed, the kernel
tells each child (child.py). One thread only: signals wake it through a pipe.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

import structlog

from app.child import ChildSpec, ended, send_all, spawn
from app.errors import Problem

FIRST_DELAY, LONGEST_DELAY, FORGIVEN_AFTER = 0.2, 10.0, 30.0  # seconds
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AFTER_FORCE = 5.0  # seconds a child has after `force_signal` before SIGKILL

log = structlog.get_logger(__name__)


class ChildFailed(Problem):
    code = "child_failed"
    status = 500
    title = "A part of Passerelle did not start."


class StopRequested(Exception):
    """Somebody asked to stop while something was still being started."""


@dataclass
class Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes]
    started: float
    delay: float = 0.0
    restart_at: float | None = None


class Supervisor:
    """`with Supervisor() as supervisor:` `start` the children, then `watch`; leaving the block ends them all."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.stop_requests = 0
        self._before: dict[int, Any] = {}
        self._awake, self._wake = -1, -1

    def __enter__(self) -> Self:
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._awake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants us to stay
                self._before[number] = signal.signal(number, self._asked)
        # Without a handler the end of a child would not wake the pipe.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in self._before.items():
                signal.signal(number, handler)
            os.close(self._awake)
            os.close(self._wake)

    def start(self, spec: ChildSpec) -> None:
        """Start a child and wait until it is ready; from then on it is kept alive.

        Raises ChildFailed when it ends first or takes longer than `ready_seconds`, StopRequested on a stop signal.
        """
        child = Child(spec, self._spawn(spec), time.monotonic())
        self.children.append(child)
        while spec.ready and not spec.ready():
            if ended(child.process) and spec.try_again and spec.try_again():
                child.process = self._spawn(spec)
            elif ended(child.process):
                self.children.remove(child)
                raise ChildFailed(name=spec.name, exit_code=child.process.returncode, said=_last_words(spec))
            if time.monotonic() > child.started + spec.ready_seconds:
                raise ChildFailed(name=spec.name, waited_seconds=spec.ready_seconds, said=_last_words(spec))
            self._pause(0.02)
            self._raise_if_asked()
        log.info("child started", child=spec.name, pid=child.process.pid)

    def run(self, spec: ChildSpec) -> str:
        """Run `spec` once to its end and return what it printed on standard output (a few lines: it is read at the
        end). Raises ChildFailed when it fails, StopRequested on a stop signal."""
        process = self._spawn(spec, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            while not ended(process):
                self._pause(0.5)
                self._raise_if_asked()
            if process.returncode:
                raise ChildFailed(name=spec.name, exit_code=process.returncode, said=_last_words(spec))
            return process.stdout.read().decode()
        finally:
            if not ended(process):
                send_all(process, signal.SIGKILL)
                process.wait()
            process.stdout.close()

    def watch(self) -> None:
        """Keep every child alive until a stop signal comes."""
        while not self.stop_requests:
            now = time.monotonic()
            for child in self.children:
                self._tend(child, now)
            due = [child.restart_at for child in self.children if child.restart_at is not None]
            self._pause(max(0.0, min(due) - time.monotonic()) if due else None)
        log.info("stopping", children=[child.spec.name for child in self.children])

    def stop(self) -> None:
        """End every child, the last started first; a stop signal that arrives meanwhile ends them by force."""
        asked_before = self.stop_requests
        while self.children:
            self._end(self.children.pop(), asked_before)

    def _spawn(self, spec: ChildSpec, *, stdout: int | None = None) -> subprocess.Popen[bytes]:
        try:
            return spawn(spec, stdout=stdout)
        except OSError as error:
            raise ChildFailed(name=spec.name, said=str(error)) from error

    def _tend(self, child: Child, now: float) -> None:
        if child.restart_at is None and ended(child.process):
            child.delay = next_delay(child.delay, alive=now - child.started)
            child.restart_at = now + child.delay
            log.error("child died", child=child.spec.name, exit_code=child.process.returncode, again_in=child.delay)
        if child.restart_at is not None and now >= child.restart_at:
            self._restart(child, now)

    def _restart(self, child: Child, now: float) -> None:
        child.restart_at, child.started = None, now
        try:
            child.process = self._spawn(child.spec)
        except Problem as problem:  # out of processes or memory, perhaps: the others must not suffer for it
            child.delay = next_delay(child.delay, alive=0.0)
            child.restart_at = now + child.delay
            log.error("child not restarted", child=child.spec.name, error=str(problem), again_in=child.delay)
        else:
            log.warning("child restarted", child=child.spec.name, pid=child.process.pid)

    def _end(self, child: Child, asked_before: int) -> None:
        """Ask, wait, then insist: stop_signal, force_signal, SIGKILL."""
        if ended(child.process):
            return
        spec, started = child.spec, time.monotonic()
        child.process.send_signal(spec.stop_signal)
        forced_at = None
        while not ended(child.process):
            now = time.monotonic()
            if forced_at is None and (self.stop_requests > asked_before or now > started + spec.stop_seconds):
                forced_at = now
                log.warning("child forced to end", child=spec.name)
                send_all(child.process, spec.force_signal)
            elif forced_at is not None and now > forced_at + AFTER_FORCE:
                send_all(child.process, signal.SIGKILL)
            self._pause(0.1)
        log.info("child ended", child=spec.name, exit_code=child.process.returncode)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1

    def _raise_if_asked(self) -> None:
        if self.stop_requests:
            raise StopRequested

    def _pause(self, seconds: float | None) -> None:
        """Sleep until a signal arrives or `seconds` have passed."""
        if select.select([self._awake], [], [], seconds)[0]:
            os.read(self._awake, 512)


def next_delay(previous: float, *, alive: float) -> float:
    """Seconds to wait before the next start of a child that was `alive` for so many seconds."""
    if previous == 0 or alive > FORGIVEN_AFTER:
        return FIRST_DELAY
    return min(previous * 2, LONGEST_DELAY)


def _last_words(spec: ChildSpec, *, size: int = 2000) -> str:
    """The end of what the child wrote, for the error; empty when it wrote to our own standard error."""
    if spec.output is None or not spec.output.exists():
        return ""
    with spec.output.open("rb") as file:
        file.seek(max(0, spec.output.stat().st_size - size))
        return file.read().decode(errors="replace").strip()
