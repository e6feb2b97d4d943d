"""The archivist takes settled events from the outbox into files, so that the outbox does not grow without bound.

One leads. Each turn does one thing: it writes a file, or deletes the events of one from the outbox, in short
transactions; no transaction is open while a file is written. A file is on disk before anything of it is deleted, and
deleting reads the file, not a memory of it: whoever dies in between, the next leader finds the file and goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, raw, transaction
from app.events import archive, retention
from app.events.archive import ArchiveDamaged, ArchivedEvent
from app.events.retention import Age, hold_subscriptions
from app.pulse import beat
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now
from workers.leader import lead

log = structlog.get_logger(__name__)

EVERY_S = 5.0
IDLE_SHARE = 20  # rest at least this many times as long as the last look took
LONGEST_REST_S = 60.0
RETRY_S = 15.0  # after a failure: until there is room again
LOOK_AGAIN_S = 3600.0  # at a file whose events somebody needed again
FILE_EVENTS = 5000
SLICE = 500  # events deleted in one transaction
LINGER_SHARE = 90  # a file that is not full waits for this part of the time that events are kept: a day in 90


class Archivist:
    """`keep` is how long a settled event stays in the outbox; `folder` is this host's."""

    def __init__(
        self,
        engine: Engine,
        make_session: sessionmaker[TenantSession],
        *,
        folder: Path,
        keep: timedelta,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._make_session = make_session
        self._folder = folder
        self._keep = keep
        self._clock = clock
        self._leads = False
        self._not_before: dict[str, float] = {}  # by file, when it is worth another look

    def run(self, stop: threading.Event) -> None:
        lead(self._engine, "archivist", stop, self.turn)

    def turn(self, connection: Connection) -> float:
        """One step, if there is one to take; returns how long to rest before the next, in seconds."""
        begun = time.monotonic()
        connection.execute(raw("SELECT 1"))  # still leader?
        try:
            worked = self.step()
        except (OSError, ArchiveDamaged) as error:
            self._could_not(error)
            return RETRY_S
        if worked:
            return 0.0
        return min(LONGEST_REST_S, max(EVERY_S, IDLE_SHARE * (time.monotonic() - begun)))

    def step(self) -> bool:
        """Adopt, empty or write one file; False when there was nothing to do. Raises OSError, ArchiveDamaged."""
        if not self._leads:
            archive.remove_unfinished(self._folder)
            self._leads = True
        here = archive.names(self._folder)
        worked = self._adopt(here) or self._empty_one(here) or self._write_one(here)
        if not worked:
            with transaction(self._make_session, SYSTEM) as session:
                retention.note_success(session, now=self._clock())
        return worked

    def _could_not(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:500]
        log.error("archive_failing", folder=str(self._folder), error=said)
        with transaction(self._make_session, SYSTEM) as session:
            retention.note_failure(session, said, now=self._clock())

    def _adopt(self, here: Sequence[str]) -> bool:
        """A finished file that nobody entered: its writer died, or it was brought from another host."""
        with transaction(self._make_session, SYSTEM) as session:
            unknown = retention.unknown(session, here)
        for name in unknown[:1]:
            manifest = archive.read(self._folder / name).manifest
            with transaction(self._make_session, SYSTEM) as session:
                retention.enter(session, manifest)
            log.info("archive_adopted", file=name, events=manifest.count, written_by=manifest.host)
        return bool(unknown)

    def _empty_one(self, here: Sequence[str]) -> bool:
        now = time.monotonic()
        worth_it = [name for name in here if self._not_before.get(name, 0.0) <= now]
        with transaction(self._make_session, SYSTEM) as session:
            full = retention.to_empty(session, worth_it, before=self._age().before)
        for file in full:
            self._not_before[file.name] = now + LOOK_AGAIN_S
            if file.holds_old or not file.holds_something:
                return self._empty(file.name)
        return False

    def _empty(self, name: str) -> bool:
        """Delete the events of a file from the outbox, as far as they may leave it. False: not now."""
        events = archive.read(self._folder / name).events
        removed = 0
        for part in _slices(events):
            beat()
            with transaction(self._make_session, SYSTEM) as session:
                if not retention.may_delete(session):
                    self._not_before[name] = time.monotonic() + RETRY_S
                    return False
                hold_subscriptions(session)
                removed += retention.remove(session, part, before=self._age().before)
        with transaction(self._make_session, SYSTEM) as session:
            if left := retention.left_of(session, events):
                log.info("archive_kept_back", file=name, removed=removed, left=left)
                return True
            retention.emptied(session, name, now=self._clock())
        self._not_before.pop(name, None)
        log.info("archived", file=name, events=removed)
        return True

    def _write_one(self, here: Sequence[str]) -> bool:
        events = self._next_file(here)
        if not events:
            return False
        manifest = archive.write(self._folder, events, now=self._clock())
        with transaction(self._make_session, SYSTEM) as session:
            retention.enter(session, manifest)
        return True

    def _next_file(self, here: Sequence[str]) -> list[ArchivedEvent]:
        """Enough events for a file, or those that have waited long enough for one; none when it is too early."""
        events: list[ArchivedEvent] = []
        age, after, is_ripe, is_last = self._age(), 0, False, False
        while not is_last and len(events) < FILE_EVENTS:
            beat()
            with transaction(self._make_session, SYSTEM) as session:
                window = retention.look(session, after=after, age=age, here=here, window=FILE_EVENTS)
            events += window.events
            after, is_last = window.last_id, window.is_last
            is_ripe = is_ripe or window.is_ripe
        return events[:FILE_EVENTS] if is_ripe or len(events) >= FILE_EVENTS else []

    def _age(self) -> Age:
        before = self._clock() - self._keep
        return Age(before, before - self._keep / LINGER_SHARE)


def _slices(events: Sequence[ArchivedEvent]) -> Iterator[Sequence[ArchivedEvent]]:
    return (events[begin : begin + SLICE] for begin in range(0, len(events), SLICE))
