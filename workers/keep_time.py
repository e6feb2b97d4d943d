"""The timekeeper's loop: one leader calls what has become due."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import Connection, Engine

from app import housekeeping
from app.billing.closings import sealing
from app.billing.closings.archive import making as archiving
from app.billing.dunning import acting as dunning
from app.billing.dunning import retrying
from app.billing.invoices import finishing
from app.billing.ledger import checkpoints
from app.booking import deciding, waiting
from app.db import raw
from app.network.memberships import advancing, ending
from app.notifications import digest, reminding
from app.pulse import beat
from app.timekeeper import Clock, Timekeeper, utc_now
from workers.leader import lead

# What becomes due is declared where it is done; a module that is not loaded would never be called.
DUE_IN = (
    housekeeping,
    deciding,
    waiting,
    reminding,
    digest,
    advancing,
    ending,
    finishing,
    sealing,
    archiving,
    checkpoints,
    dunning,
    retrying,
)
BATCH = 100
EVERY = timedelta(seconds=0.5)
SOONEST = timedelta(seconds=0.01)


class TimekeeperLoop:
    def __init__(self, engine: Engine, timekeeper: Timekeeper, *, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._timekeeper = timekeeper
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        lead(self._engine, "timekeeper", stop, lambda connection: self._turn(connection, stop))

    def _turn(self, connection: Connection, stop: threading.Event) -> float:
        connection.execute(raw("SELECT 1"))  # still leader?

        def stopping() -> bool:  # asked before each
            beat()
            return stop.is_set()

        if self._timekeeper.run_due(limit=BATCH, stopping=stopping) == BATCH:
            return 0.0
        next_at = self._timekeeper.next_at()
        wait = EVERY if next_at is None else min(EVERY, max(SOONEST, next_at - self._clock()))
        return wait.total_seconds()
