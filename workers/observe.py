"""The observer asks the bus what nobody else asks it: how many messages nobody could read. One leads."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import sessionmaker

from app.bus import Bus
from app.db import TenantSession, raw, transaction
from app.events import figures
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now
from workers.leader import lead

log = structlog.get_logger(__name__)

EVERY_S = 15.0


class Observer:
    def __init__(
        self, engine: Engine, make_session: sessionmaker[TenantSession], bus: Bus, *, clock: Clock = utc_now
    ) -> None:
        self._engine = engine
        self._make_session = make_session
        self._bus = bus
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        lead(self._engine, "observer", stop, self.turn)

    def turn(self, connection: Connection) -> float:
        """Ask once, and keep the answer; returns how long to rest, in seconds."""
        connection.execute(raw("SELECT 1"))  # still leader?
        depth = self._dead_letters()
        if depth is not None:
            with transaction(self._make_session, SYSTEM) as session:
                figures.note(session, figures.DEAD_LETTERS, depth, now=self._clock())
        return EVERY_S

    def _dead_letters(self) -> int | None:
        """None while the bus does not answer: who needs it says so."""
        if self._bus.in_memory:
            return 0
        try:
            with self._bus.connection("observer") as bus:
                channel = bus.default_channel
                self._bus.declare(channel, [])
                return int(self._bus.dead_queue()(channel).queue_declare(passive=True).message_count)
        except Exception as error:
            log.info("bus_not_asked", error=f"{type(error).__name__}: {error}"[:300])
            return None
