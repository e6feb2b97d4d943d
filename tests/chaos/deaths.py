"""Dying at the worst moment: a process told to die at a place kills itself there, -9, the next time it passes.

The harness arms a process by a real-time signal, one per place; nobody else uses those.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from amqp.channel import Channel
from sqlalchemy import event

from app.bus import Publisher
from app.db import TenantSession

PLACES = {
    "before the acknowledgement": signal.SIGRTMIN + 1,  # committed, but the bus still has the message
    "after publishing": signal.SIGRTMIN + 2,  # the bus has it, but it is not marked
    "after a commit": signal.SIGRTMIN + 3,  # it is true, but nobody was told
}
_armed: set[int] = set()


def arm(pid: int, place: str) -> None:
    """Nothing where another fault of a storm was quicker: who is dead already needs no killing."""
    with suppress(ProcessLookupError):
        os.kill(pid, PLACES[place])


def here(place: str) -> None:
    if PLACES[place] in _armed:
        os.kill(os.getpid(), signal.SIGKILL)


def install() -> None:
    """Have this process, and what it forks, listen to `arm`."""
    for number in PLACES.values():
        signal.signal(number, lambda armed, _frame: _armed.add(armed))
    _before(Channel, "basic_ack", "before the acknowledgement")
    _after(Publisher, "publish", "after publishing")
    event.listen(TenantSession, "after_commit", lambda _session: here("after a commit"))


def _before(owner: Any, name: str, place: str) -> None:
    _wrap(owner, name, lambda call: (here(place), call())[1])


def _after(owner: Any, name: str, place: str) -> None:
    _wrap(owner, name, lambda call: (call(), here(place))[0])


def _wrap(owner: Any, name: str, around: Callable[[Callable[[], Any]], Any]) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        return around(lambda: original(*arguments, **options))

    setattr(owner, name, wrapped)
