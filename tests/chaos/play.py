"""One run: the stage, the crowd, the faults as the seed has them, the recovery of each, and the verdict.

The seed decides which faults come, in which order, upon whom, and how long each lasts. Single faults are watched: the
next comes once the lag is back. In storms they overlap, and only the end is watched.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.members import Crowd
from tests.chaos.stage import Stage
from tests.chaos.verdict import Violation, judge, unfinished
from tests.chaos.watch import Watch

TICK_S = 0.02
CALM_S = 1.5  # for so long the lag must have been under a second before the next single fault
IN_TIME = "lag back in time"
WORST_S = 90.0  # no recovery is waited for longer
QUIET_WITHIN_S = 90.0
SINGLES_S, STORM_S = 38.0, 16.0
STORM_EVERY_S = 0.7
ALL_GONE_S = 180.0  # until every member has heard their last answer
RATE = 46.0  # events a second that the members cause, all together, when nothing is in their way
EVERYDAY = {
    "stay": 0.5, "call_off": 1.2, "move": 1.0, "rename": 2.0, "repeat": 2.0, "walk_in": 0.4, "want_a_room": 1.0,
    "look_at_the_list": 1.0, "ask_again": 0.2,
}  # fmt: skip

Script = Iterator[object]  # what it yields does not matter: it is asked again after a tick


@dataclass(frozen=True, slots=True)
class Recovery:
    """Of a single fault: how long it lasted, and from its end until the lag was under a second for good."""

    kind: str
    lasted: float
    seconds: float
    allowed: float


@dataclass
class Report:
    seed: int
    folder: str
    seconds: float = 0.0
    events: int = 0
    answers: int = 0
    said: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    recoveries: list[Recovery] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def checks(self) -> set[str]:
        """Which checks found something."""
        return {violation.check for violation in self.violations}


class Play:
    def __init__(
        self, stage: Stage, *, seed: int, rate: float = RATE, weights: Mapping[str, float] = EVERYDAY,
        faults: Sequence[Fault] = FAULTS, tell: Callable[[str], None] = lambda _: None, worst_s: float = WORST_S,
    ) -> None:  # fmt: skip
        self.stage, self.faults, self.tell = stage, faults, tell
        self.worst_s = worst_s
        self.chance = random.Random(seed)
        self.report = Report(seed, str(stage.folder))
        self.crowd = Crowd(stage.town, stage.port, seed, rate, dict(weights))
        self._bag: list[Fault] = []

    def run(self, seconds: float, *, quiet_within: float = QUIET_WITHIN_S) -> Report:
        with Watch(self.stage.connect) as self.watch:
            self.crowd.start()
            begun = time.monotonic()
            self._until = begun + seconds
            for _ in self._script():
                self.stage.keeper.tend()
                time.sleep(TICK_S)
            self.report.seconds = time.monotonic() - begun
            self.crowd.stop()
            self._wait(self.crowd.gone, ALL_GONE_S)
            self.report.restarts = sum(kept.lives - 1 for kept in self.stage.keeper.kept.values())
            self.report.answers, self.report.said = self.crowd.answered, self.crowd.said()
            self._judge(quiet_within)
        return self.report

    # --- what comes when

    def _script(self) -> Script:
        # A broker that is killed within the second in which a queue is made may bring that queue up without a leader,
        # for good (docs/operators.md says what to type): that is before a newcomer's first event, and not played.
        yield from self._calm(time.monotonic())
        while True:
            storm_at = time.monotonic() + SINGLES_S
            while time.monotonic() < storm_at:
                if time.monotonic() > self._until:
                    return
                if self.faults:
                    yield from self._single(self._next())
                yield
            yield from self._storm()

    def _next(self) -> Fault:
        """From a bag that is filled again when it is empty: so every kind comes as often as it should."""
        if not self._bag:
            self._bag = [fault for fault in self.faults for _ in range(fault.often)]
            self.chance.shuffle(self._bag)
        return self._bag.pop()

    def _single(self, fault: Fault) -> Script:
        """Play a fault alone, and measure how long the lag takes to be under a second again, for good."""
        begun = time.monotonic()
        yield from self._act(fault)
        over = time.monotonic()
        late_at = yield from self._calm(over)
        recovery = Recovery(fault.kind, over - begun, late_at - over, fault.recovers_within)
        self.report.recoveries.append(recovery)
        self.tell(f"{fault.kind}: lasted {recovery.lasted:.1f} s, lag back after {recovery.seconds:.1f} s")

    def _storm(self) -> Script:
        begun = time.monotonic()
        over_at, next_at = begun + STORM_S, 0.0
        weights = [fault.in_storms for fault in self.faults]
        raging: list[Script] = []
        count = 0
        while raging or time.monotonic() < over_at:
            if next_at < time.monotonic() < over_at and any(weights):
                next_at = time.monotonic() + self.chance.uniform(0, 2 * STORM_EVERY_S)
                raging.append(self._act(self.chance.choices(self.faults, weights)[0]))
                count += 1
            raging = [each for each in raging if next(each, self) is not self]
            yield
        over = time.monotonic()
        late_at = yield from self._calm(over)
        self.tell(f"a storm of {count} faults: lag back after {late_at - over:.1f} s")

    def _act(self, fault: Fault) -> Script:
        self.report.faults[fault.kind] += 1
        # A generator of chance of its own: what one fault draws does not change what the next one is.
        for pause in fault.act(self.stage, random.Random(self.chance.random())):
            again_at = time.monotonic() + pause
            while time.monotonic() < again_at:
                yield

    def _calm(self, since: float) -> Iterator[object]:
        """Until the lag has been under a second for CALM_S; returns when it was last not."""
        late_at = since
        while time.monotonic() - late_at < CALM_S and time.monotonic() - since < self.worst_s:
            yield
            late_at = self.watch.last_late(since)
        return late_at

    # --- what is true at the end

    def _wait(self, condition: Callable[[], Any], seconds: float) -> None:
        """Keep the processes alive until it holds, or time is up."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            self.stage.keeper.tend()
            time.sleep(TICK_S)

    def _judge(self, quiet_within: float) -> None:
        self._wait(self.stage.up, quiet_within)
        with self.stage.connect() as connection:
            self._wait(partial(self._quiet, connection), quiet_within)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            row = connection.execute("SELECT count(*) FROM chaos_ledger").fetchone()
            self.report.events = row[0] if row else 0
            self.report.violations = judge(connection, self.stage, self.crowd)
            connection.execute("ROLLBACK")
        self.report.violations += [
            Violation(IN_TIME, 1, [str(each)]) for each in self.report.recoveries if each.seconds > each.allowed
        ]

    def _quiet(self, connection: psycopg.Connection[Any]) -> bool:
        return unfinished(connection, self.stage.consumers) == 0
