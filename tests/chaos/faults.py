"""The faults: each is stepped through by whoever calls it, and says how long to wait before its next step.

A fault is over when it is stepped to its end: the line is mended, what was frozen goes on, the killed process is dead,
the server that was ended serves again. What then still has to happen by itself is the recovery.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil

from tests.chaos import deaths
from tests.chaos.keeper import Kept
from tests.chaos.stage import BROKER, DATABASE, Stage

Steps = Iterator[float]  # seconds until the next step
Act = Callable[[Stage, random.Random], Steps]
SERVER_BACK_S = 60.0
FROZEN_BROKER_S = 60.0  # within which it recovers
MUCH_WAITS_S = 3.0
NOBODY = 4_194_304  # above every process number


@dataclass(frozen=True, slots=True)
class Fault:
    """`often` is how many of it are in a bag of single faults, `in_storms` its weight among those that overlap."""

    kind: str
    act: Act
    often: int
    in_storms: float = 0.0
    recovers_within: float = 15.0


# --- processes


def kill_a_consumer(stage: Stage, chance: random.Random) -> Steps:
    _a_consumer(stage, chance).kill()
    yield 0


def kill_gunicorn(stage: Stage, chance: random.Random) -> Steps:
    stage.keeper.kept["web"].kill()
    yield 0


def kill_the_leader(stage: Stage, chance: random.Random) -> Steps:
    leading_relay(stage).kill()
    yield 0


def kill_a_web_worker(stage: Stage, chance: random.Random) -> Steps:
    for pid in _a_web_worker(stage, chance):
        _signal(pid, signal.SIGKILL)
    yield 0


def die_unacknowledged(stage: Stage, chance: random.Random) -> Steps:
    """A consumer dies between the commit of what it handled and the word to the bus."""
    deaths.arm(_a_consumer(stage, chance).process.pid, "before the acknowledgement")
    yield 0.1


def die_unmarked(stage: Stage, chance: random.Random) -> Steps:
    deaths.arm(leading_relay(stage).process.pid, "after publishing")
    yield 0.1


def die_unanswered(stage: Stage, chance: random.Random) -> Steps:
    """A web worker dies between the commit and the answer."""
    for pid in _a_web_worker(stage, chance):
        deaths.arm(pid, "after a commit")
    yield 0.1


def freeze_a_consumer(stage: Stage, chance: random.Random) -> Steps:
    return _frozen([_a_consumer(stage, chance).process.pid], chance.uniform(2, 5))


def freeze_and_kill_a_consumer(stage: Stage, chance: random.Random) -> Steps:
    """It takes messages without knowing it, and then it is gone."""
    consumer = _a_consumer(stage, chance)
    yield from _frozen([consumer.process.pid], 1.0, then=signal.SIGKILL)


def freeze_the_leader(stage: Stage, chance: random.Random) -> Steps:
    return _frozen([leading_relay(stage).process.pid], chance.uniform(2, 5))


def freeze_a_web_worker(stage: Stage, chance: random.Random) -> Steps:
    return _frozen(_a_web_worker(stage, chance), chance.uniform(2, 5))


# --- the database


def restart_database(stage: Stage, chance: random.Random) -> Steps:
    """An immediate shutdown: nothing is written any more, and the next start recovers from the log."""
    yield from _down_and_up(stage.keeper.kept[DATABASE], signal.SIGQUIT, stage.servers.postgres.is_ready)


def kill_a_session(stage: Stage, chance: random.Random) -> Steps:
    """kill -9 of a server process: PostgreSQL then trusts none of its memory and starts all of them anew."""
    _signal(chance.choice(_sessions(stage)), signal.SIGKILL)
    yield 0.5


def freeze_a_session(stage: Stage, chance: random.Random) -> Steps:
    return _frozen([chance.choice(_sessions(stage))], chance.uniform(2, 4))


def freeze_database(stage: Stage, chance: random.Random) -> Steps:
    postmaster = stage.keeper.kept[DATABASE]
    return _frozen([postmaster.process.pid, *postmaster.children()], chance.uniform(2, 5))


# --- the broker


def stop_broker(stage: Stage, chance: random.Random) -> Steps:
    yield from stage.servers.node.control("stop_app")
    yield chance.uniform(0, 3)
    yield from stage.servers.node.control("start_app")


def kill_broker(stage: Stage, chance: random.Random) -> Steps:
    yield from _down_and_up(stage.keeper.kept[BROKER], signal.SIGKILL, stage.servers.broker_is_up)


def freeze_broker(stage: Stage, chance: random.Random) -> Steps:
    broker = psutil.Process(stage.keeper.kept[BROKER].process.pid)
    node = [child.pid for child in broker.children(recursive=True) if child.name().startswith("beam")]
    return _frozen(node, chance.uniform(3, 12))


def alarm_broker(stage: Stage, chance: random.Random) -> Steps:
    """It has too much in memory, and takes nothing from those who publish."""
    yield from stage.servers.node.control("set_vm_memory_high_watermark", "0.0001")
    yield chance.uniform(2, 6)
    yield from stage.servers.node.control("set_vm_memory_high_watermark", "0.4")


def purge_queue(stage: Stage, chance: random.Random) -> Steps:
    """All that waits for one consumer is lost, while neither of its processes has any of it in hand."""
    consumer = stage.consumers[chance.choice(sorted(stage.consumers))]
    theirs = stage.keeper.of_kind(consumer.name)
    for kept in theirs:
        kept.held = True
        kept.kill()
    with stage.bus.connection("purge") as connection:
        queue = stage.bus.queue(consumer)(connection.default_channel)
        deadline = time.monotonic() + MUCH_WAITS_S
        while queue.queue_declare(passive=True)[1] < 10 and time.monotonic() < deadline:
            yield 0.1
        queue.purge()
    for kept in theirs:
        kept.held = False


# --- the disk of the archive


def fill_the_disk(stage: Stage, chance: random.Random) -> Steps:
    stage.disk.fill()
    yield chance.uniform(8, 14)
    stage.disk.make_room()


# --- the lines


def broken_line(name: str) -> Act:
    """Every connection ends at once; new ones are taken."""
    return partial(_line, name, "break", (0, 0))


def cut_line(name: str) -> Act:
    """Every connection ends, and for a while nobody answers."""
    return partial(_line, name, "cut", (0.5, 3))


def silent_line(name: str) -> Act:
    """For a while nothing arrives, on either side, and nobody says so."""
    return partial(_line, name, "hush", (2, 5))


def _line(name: str, how: str, lasts: tuple[float, float], stage: Stage, chance: random.Random) -> Steps:
    stage.servers.lines.tell(how, name)
    yield chance.uniform(*lasts)
    stage.servers.lines.tell("mend", name)


FAULTS = [
    Fault("kill -9: a consumer", kill_a_consumer, 4, in_storms=2),
    Fault("kill -9: the leading relay", kill_the_leader, 2, in_storms=1),
    Fault("kill -9: a web worker", kill_a_web_worker, 2, in_storms=3),
    Fault("kill -9: gunicorn's master", kill_gunicorn, 1),
    Fault("died between commit and acknowledgement", die_unacknowledged, 3, in_storms=2),
    Fault("died between publishing and marking", die_unmarked, 2, in_storms=1),
    Fault("died between commit and answer", die_unanswered, 2, in_storms=3),
    Fault("frozen: a consumer", freeze_a_consumer, 2, in_storms=1),
    Fault("frozen, then kill -9: a consumer", freeze_and_kill_a_consumer, 1, in_storms=1),
    Fault("frozen: the leading relay", freeze_the_leader, 1),
    Fault("frozen: a web worker", freeze_a_web_worker, 1, in_storms=1),
    Fault("database: immediate restart", restart_database, 2),
    Fault("database: kill -9 of a session", kill_a_session, 1),
    Fault("database: a session frozen", freeze_a_session, 2, in_storms=1),
    Fault("database: frozen", freeze_database, 1),
    Fault("broker: stop_app, start_app", stop_broker, 2),
    Fault("broker: kill -9", kill_broker, 1),
    Fault("broker: frozen", freeze_broker, 1, recovers_within=FROZEN_BROKER_S),
    Fault("broker: memory alarm", alarm_broker, 1),
    Fault("broker: a queue purged", purge_queue, 3),
    Fault("archive: the disk is full", fill_the_disk, 1),
    Fault("line to the database: broken", broken_line(DATABASE), 2, in_storms=3),
    Fault("line to the database: cut", cut_line(DATABASE), 1),
    Fault("line to the database: silent", silent_line(DATABASE), 1),
    Fault("line to the broker: broken", broken_line(BROKER), 2, in_storms=3),
    Fault("line to the broker: cut", cut_line(BROKER), 1),
    Fault("line to the broker: silent", silent_line(BROKER), 1),
]  # fmt: skip


# --- victims


def leading_relay(stage: Stage) -> Kept:
    """The relay that said last that it leads."""
    return max(
        stage.keeper.of_kind("relay"),
        key=lambda kept: stage.last_said(kept.name, '"role": "relay", "event": "leading"'),
    )


def _a_consumer(stage: Stage, chance: random.Random) -> Kept:
    return chance.choice(stage.keeper.of_kind(*stage.consumers))


def _a_web_worker(stage: Stage, chance: random.Random) -> list[int]:
    """The pid of one, if there is any just now."""
    return chance.sample(children, 1) if (children := stage.keeper.kept["web"].children()) else []


_SESSIONS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'passerelle%%' ORDER BY backend_start
"""


def _sessions(stage: Stage) -> list[int]:
    """The server's processes that serve the product."""
    with stage.connect() as connection:
        rows = connection.execute(_SESSIONS)
        return [pid for (pid,) in rows] or [NOBODY]


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _frozen(pids: list[int], seconds: float, *, then: signal.Signals = signal.SIGCONT) -> Steps:
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        yield seconds
    finally:
        for pid in reversed(pids):
            _signal(pid, then)


def _down_and_up(kept: Kept, number: signal.Signals, up: Callable[[], bool]) -> Steps:
    life, deadline = kept.lives, time.monotonic() + SERVER_BACK_S
    kept.send(number) if number == signal.SIGKILL else kept.process.send_signal(number)
    while (kept.lives == life or not up()) and time.monotonic() < deadline:
        yield 0.1
