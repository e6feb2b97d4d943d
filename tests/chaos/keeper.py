"""Starts again whatever dies, as a service manager would; and lets faults choose who shall."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import psutil

from app.child import ChildSpec, ended, send_all, spawn
from tests.waiting import until

AGAIN_AFTER_S = 0.2
PATIENCE_S = 90.0
UP_AT_ONCE: Callable[[], bool] = lambda: True  # noqa: E731


@dataclass
class Kept:
    """One process, over all its lives."""

    spec: ChildSpec
    process: subprocess.Popen[bytes]
    kind: str
    lives: int = 1
    again_at: float | None = None
    held: bool = False  # dead, and not to be started before `release`

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def up(self) -> bool:
        return self.alive and (self.spec.ready or UP_AT_ONCE)()

    def send(self, number: signal.Signals) -> None:
        """To it and all its children."""
        send_all(self.process, number)

    def kill(self) -> None:
        """kill -9 of it alone; its children find out by themselves, or are ended when it is reaped."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)

    def children(self) -> list[int]:
        """The pids of its children, the youngest last."""
        with suppress(psutil.Error):
            return [child.pid for child in psutil.Process(self.process.pid).children()]
        return []


class Keeper:
    """Call `tend` often, and from the main thread: a child ends with the thread that started it."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}

    def start(self, spec: ChildSpec, kind: str) -> Kept:
        """Start it and wait until it is up. Raises AssertionError with the end of what it printed."""
        kept = self.kept[spec.name] = Kept(spec, spawn(spec), kind)
        return kept

    def wait_up(self, *names: str) -> None:
        for name in names or tuple(self.kept):
            kept = self.kept[name]
            until(lambda kept=kept: self.tend() or kept.up(), within=PATIENCE_S, describe=f"{name} is up")  # type: ignore[misc]

    def tend(self) -> None:
        """Start again what has died and has been dead long enough."""
        now = time.monotonic()
        for kept in self.kept.values():
            if kept.again_at is None and ended(kept.process):
                kept.again_at = now + AGAIN_AFTER_S
            if kept.again_at is not None and now >= kept.again_at and not kept.held:
                kept.process, kept.again_at = spawn(kept.spec), None
                kept.lives += 1

    def of_kind(self, *kinds: str) -> list[Kept]:
        return [kept for kept in self.kept.values() if kept.kind in kinds]

    def stop(self, *kinds: str) -> None:
        """End those of a kind, or all, the last started first."""
        leaving = [kept for kept in reversed(self.kept.values()) if not kinds or kept.kind in kinds]
        for kept in leaving:
            del self.kept[kept.name]
            kept.send(signal.SIGCONT)
        for kept in leaving:
            _end(kept, 20.0)

    def stop_all_at_once(self, *kinds: str) -> None:
        leaving = self.of_kind(*kinds)
        for kept in leaving:
            kept.send(signal.SIGCONT)
            kept.process.send_signal(kept.spec.stop_signal)
        for kept in leaving:
            del self.kept[kept.name]
            _end(kept, 20.0)


def _end(kept: Kept, seconds: float) -> None:
    try:
        if not ended(kept.process):
            kept.process.send_signal(kept.spec.stop_signal)
            kept.process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        kept.send(signal.SIGKILL)
        kept.process.wait(5)


def named(spec: ChildSpec, name: str) -> ChildSpec:
    return replace(spec, name=name)
