"""A child process: how it is described, and how it is started so that it cannot outlive whoever started it."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
# Loaded here, since between fork and exec nothing may be imported or looked up.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What to run, how to know that it is up, and how it wants to end.

    `env` is the whole environment (None: ours). `ready` answers whether it is up; None counts as up at once.
    `before` runs ahead of every start; `try_again` says whether a first start that ended early is worth repeating.
    `stop_signal` asks it to end within `stop_seconds`, `force_signal` no longer
    asks. `death_signal` is what the kernel sends it when we die without a word. `output` collects what it prints
    (None: our own standard output and error).
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 60.0
    before: Callable[[], None] | None = None
    try_again: Callable[[], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    force_signal: signal.Signals = signal.SIGKILL
    death_signal: signal.Signals = signal.SIGKILL
    account: pwd.struct_passwd | None = None
    output: Path | None = None
    cwd: Path | None = None


def spawn(spec: ChildSpec, *, stdout: int | None = None) -> subprocess.Popen[bytes]:
    """Start `spec` in a session of its own, so that a Ctrl-C at the terminal reaches us alone and we decide the order.

    Call it from a thread that lives as long as the child should (the main one): the kernel's death signal follows the
    parent *thread*. Raises OSError when the program cannot be run.
    """
    if spec.before:
        spec.before()
    options: dict[str, Any] = {}
    if spec.account:
        options = {"user": spec.account.pw_uid, "group": spec.account.pw_gid, "extra_groups": []}
    with ExitStack() as opened:
        if spec.output:
            options["stderr"] = opened.enter_context(spec.output.open("ab"))
            stdout = options["stderr"].fileno() if stdout is None else stdout
        return subprocess.Popen(
            list(spec.argv),
            env=spec.env,
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid(), int(spec.death_signal)),
            **options,
        )


def _die_with(parent: int, death_signal: int) -> None:
    """In the new process, after its user was set (that would undo it): ask for `death_signal` when the parent dies."""
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died before the request was in place
        os._exit(1)


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether `process` has ended; whatever it left behind in its session (web workers of a killed master) ends too.

    They go while the dead leader is still unreaped, so that its number cannot meanwhile belong to somebody else.
    """
    if process.returncode is None and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        send_all(process, signal.SIGKILL)
        process.wait()
    return process.returncode is not None


def send_all(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the child and to all it started in its group; nothing when they are gone."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:  # some systems answer so when only the dead leader is left
        pass
