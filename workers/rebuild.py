"""A consumer's effect made anew from all its events, beside the live one, and put in its place.

The handlers run over the archives and then the outbox, in order per aggregate, with `search_path` pointing at tables of
their own; the live consumer goes on meanwhile. At the end writers wait for a moment: what the live consumer has done by
then is done here too, the differences are brought over, and readers find the right rows, old ones or new.
docs/decisions/0005-retention-and-replay.md says why it is done so. Killed, it goes on where it was.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.db import TRY_AGAIN, TenantSession, connection_lost, raw, retrying, sessions, sqlstate, transaction
from app.errors import Problem
from app.events import archive, envelope
from app.events.archive import ArchivedEvent
from app.events.restoring import ArchiveElsewhere
from app.events.retention import DELETING
from app.tenancy import SYSTEM
from app.timekeeper import Clock, utc_now
from workers.handle import have_effect
from workers.rebuild_tables import Difference, RebuildTables
from workers.registry import Consumer

log = structlog.get_logger(__name__)

BATCH = 500  # events, or aggregates, in one transaction
FEW = 100  # aggregates that may be left to do while writers wait
ROUNDS = 20  # of catching up, before a busy consumer is made to wait however much there is left
LOCK_ATTEMPTS = 10
LOCK_NOT_AVAILABLE = "55P03"

_ALONE = raw(f"SELECT pg_advisory_lock({DELETING})")
_ARCHIVES = raw("""
    SELECT name, host, first_id, last_id, count AS events FROM event_archive
    WHERE aggregate_types && CAST(:aggregate_types AS varchar[]) ORDER BY first_id, name
""")
_IN_OUTBOX = raw("SELECT count(*) FROM outbox WHERE aggregate_type = ANY(:aggregate_types)")
_PLACES = raw("""
    SELECT c.aggregate_type, c.aggregate_id, c.last_seq AS live, coalesce(p.last_seq, 0) AS done
    FROM unnest(CAST(:types AS text[]), CAST(:ids AS uuid[])) AS a (aggregate_type, aggregate_id)
    JOIN cursor c ON c.consumer = :consumer AND c.aggregate_type = a.aggregate_type AND c.aggregate_id = a.aggregate_id
    LEFT JOIN place p ON p.aggregate_type = a.aggregate_type AND p.aggregate_id = a.aggregate_id
""")
_BEHIND = raw("""
    SELECT c.aggregate_type, c.aggregate_id, c.last_seq AS live, coalesce(p.last_seq, 0) AS done
    FROM cursor c LEFT JOIN place p ON p.aggregate_type = c.aggregate_type AND p.aggregate_id = c.aggregate_id
    WHERE c.consumer = :consumer AND c.aggregate_type = ANY(:aggregate_types)
      AND (c.aggregate_type, c.aggregate_id) > (:after_type, CAST(:after_id AS uuid))
      AND c.last_seq > coalesce(p.last_seq, 0)
    ORDER BY c.aggregate_type, c.aggregate_id LIMIT :limit
""")
_EVENTS = raw("""
    SELECT o.*
    FROM unnest(CAST(:types AS text[]), CAST(:ids AS uuid[]), CAST(:done AS bigint[]), CAST(:live AS bigint[]))
        AS a (aggregate_type, aggregate_id, done, live)
    JOIN outbox o ON o.aggregate_type = a.aggregate_type AND o.aggregate_id = a.aggregate_id
        AND o.seq > a.done AND o.seq <= a.live
    ORDER BY o.aggregate_type, o.aggregate_id, o.seq
""")
_NOT_HAD = raw("""
    SELECT event_id FROM delivery WHERE consumer = :consumer AND event_id = ANY(:event_ids) AND state <> 'done'
""")
_PASSED_BY = raw("""
    INSERT INTO passed_by SELECT d.event_id FROM delivery d
    WHERE d.consumer = :consumer AND d.event_id = ANY(:event_ids) AND d.state IN ('parked', 'failed', 'dead')
    ON CONFLICT DO NOTHING
""")
_DONE_AFTER_ALL = raw("""
    WITH done AS (
        DELETE FROM passed_by p USING delivery d
        WHERE d.consumer = :consumer AND d.event_id = p.event_id AND d.state = 'done' RETURNING p.event_id
    ) SELECT o.* FROM outbox o JOIN done USING (event_id) ORDER BY o.id
""")
_MOVE = raw("""
    INSERT INTO place (aggregate_type, aggregate_id, last_seq)
    SELECT * FROM unnest(CAST(:types AS text[]), CAST(:ids AS uuid[]), CAST(:done AS bigint[]))
    ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET last_seq = excluded.last_seq
""")
_ARCHIVED_TO = raw("SELECT archived_to FROM mark")
_MOVE_ARCHIVED = raw("UPDATE mark SET archived_to = :last_id")
FIRST_ID = UUID(int=0)

Aggregate = tuple[str, UUID]


class NeverReplayed(Problem):
    code = "never_replayed"
    status = 409
    title = "This consumer has effects towards people or other programs, or begins now: its past is never done again."


class EventMissing(Problem):
    code = "event_missing"
    status = 409
    title = "The consumer has had an event that is neither in the database nor in an archive."


class RebuildRunning(Problem):
    code = "rebuild_running"
    status = 409
    title = "Another rebuild is at work: try again when it is done."


class HandlerFailed(Problem):
    code = "rebuild_failed"
    status = 500
    title = "The handler failed, and nothing was changed: mend it, or leave that event out (--leave-out)."


@dataclass(frozen=True, slots=True)
class Place:
    """How far an aggregate is: `live` by the live consumer, `done` here."""

    live: int
    done: int


class Rebuild:
    """One run. `leave_out` are events that the consumer gave up, and whose receipts are archived."""

    def __init__(
        self,
        consumer: Consumer,
        engine: Engine,
        *,
        folder: Path,
        clock: Clock = utc_now,
        leave_out: Collection[UUID] = (),
    ) -> None:
        """Raises NeverReplayed for a consumer whose effect is not rows alone."""
        if not consumer.rebuilds or consumer.from_ == "now":
            raise NeverReplayed(consumer=consumer.name)
        self._consumer = consumer
        self._engine = engine
        self._make_session = sessions(engine)
        self._folder = folder
        self._clock = clock
        self._leave_out = frozenset(leave_out)
        self._told: Callable[[int], object] = lambda _: None
        self._tables = RebuildTables(consumer)
        self._types = list(consumer.aggregate_types)

    def total(self) -> int:
        """About how many events there are to go through."""
        with transaction(self._make_session, SYSTEM) as session:
            archived = sum(row.events for row in session.execute(_ARCHIVES, {"aggregate_types": self._types}))
            return archived + int(session.execute(_IN_OUTBOX, {"aggregate_types": self._types}).scalar_one())

    def run(self, *, dry_run: bool = False, told: Callable[[int], object] = lambda _: None) -> list[Difference]:
        """Rebuild and switch over; `dry_run` undoes the switch. Returns what was wrong, by table.

        `told` hears how many more events are behind it.

        Raises ArchiveElsewhere, ArchiveDamaged, EventMissing, HandlerFailed, WroteElsewhere: then the live tables are
        as they were.
        """
        self._told = told
        with self._alone():
            files = self._files()
            with transaction(self._make_session, SYSTEM) as session:
                goes_on = self._tables.begin(session, now=self._clock())
            log.info("rebuild_begun", consumer=self._consumer.name, goes_on=goes_on, archives=len(files))
            try:
                self._read_archives(files)
                self._catch_up()
                return self._switch(dry_run=dry_run)
            except Problem:
                self._drop()  # what was computed by a handler that is about to be mended is not worth keeping
                raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No second rebuild, and nothing leaves the outbox meanwhile; the lock ends with this process."""
        with self._engine.connect() as pooled:
            connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            try:
                connection.execute(_ALONE)  # the archivist holds it for moments only
            except OperationalError as error:
                if sqlstate(error) == LOCK_NOT_AVAILABLE:
                    raise RebuildRunning(consumer=self._consumer.name) from error
                raise
            yield

    def _files(self) -> list[Any]:
        with transaction(self._make_session, SYSTEM) as session:
            files = list(session.execute(_ARCHIVES, {"aggregate_types": self._types}))
        there = set(archive.names(self._folder))
        for file in files:
            if file.name not in there:
                raise ArchiveElsewhere(folder=str(self._folder), file=file.name, written_by=file.host)
        return files

    def _drop(self) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            self._tables.drop(session)

    def _read_archives(self, files: Sequence[Any]) -> None:
        with self._inside() as session:
            reached = session.execute(_ARCHIVED_TO).scalar_one()
        events = (event for event in _by_id(self._folder, files, after=reached) if event.aggregate_type in self._types)
        for batch in _batches(events):
            retrying(lambda batch=batch: self._have_archived(batch))  # type: ignore[misc]
            self._told(len(batch))

    def _have_archived(self, batch: Sequence[ArchivedEvent]) -> None:
        with self._inside() as session:
            places = self._places(session, {(event.aggregate_type, event.aggregate_id) for event in batch})
            self._have_effects(session, batch, places)
            session.execute(_MOVE_ARCHIVED, {"last_id": batch[-1].id})
            self._tables.check(session)

    def _catch_up(self) -> None:
        """Until only a few aggregates were behind in a whole round: the live consumer goes on meanwhile."""
        for _ in range(ROUNDS):
            if self._round(self._inside) <= FEW:
                return

    def _round(self, inside: Callable[[], Any]) -> int:
        """Bring each aggregate up to the live consumer; how many were behind."""
        last, behind = ("", FIRST_ID), 0
        while True:
            with inside() as session:
                places = self._behind(session, last)
                events = self._events(session, places)
                self._have_effects(session, events, places)
                for event in session.execute(_DONE_AFTER_ALL, {"consumer": self._consumer.name}).all():
                    self._have_effect(session, event)
                self._tables.check(session)
            behind += len(places)
            self._told(len(events))
            if len(places) < BATCH:
                return behind
            last = max(places)

    def _switch(self, *, dry_run: bool) -> list[Difference]:
        for attempt in range(LOCK_ATTEMPTS):
            try:
                return self._switch_once(dry_run=dry_run)
            except OperationalError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE or attempt == LOCK_ATTEMPTS - 1:
                    raise
                log.warning("rebuild_waits", consumer=self._consumer.name, attempt=attempt + 1)
                self._catch_up()
        raise AssertionError("unreachable")

    def _switch_once(self, *, dry_run: bool) -> list[Difference]:
        with self._inside(durable=True) as session:
            session.execute(raw("SET LOCAL statement_timeout = 0"))
            self._tables.lock_live(session)

            @contextmanager
            def same() -> Iterator[TenantSession]:
                yield session

            self._round(same)
            differences = self._tables.bring_over(session, now=self._clock())
            if dry_run:
                session.rollback()
            else:
                self._tables.drop(session)
        if dry_run:
            self._drop()
        log.info("rebuild_done", consumer=self._consumer.name, dry_run=dry_run, **_counted(differences))
        return differences

    @contextmanager
    def _inside(self, *, durable: bool = False) -> Iterator[TenantSession]:
        """A transaction among the rebuilt tables. What a crash of the server takes of them is made again."""
        with transaction(self._make_session, SYSTEM) as session:
            if not durable:
                session.execute(raw("SET LOCAL synchronous_commit = off"))
            self._tables.enter(session)
            yield session

    def _places(self, session: TenantSession, aggregates: Collection[Aggregate]) -> dict[Aggregate, Place]:
        types, ids = zip(*aggregates, strict=True)
        rows = session.execute(_PLACES, {"types": list(types), "ids": list(ids), "consumer": self._consumer.name})
        return {(row.aggregate_type, row.aggregate_id): Place(row.live, row.done) for row in rows}

    def _behind(self, session: TenantSession, last: Aggregate) -> dict[Aggregate, Place]:
        facts = {"consumer": self._consumer.name, "aggregate_types": self._types, "limit": BATCH}
        rows = session.execute(_BEHIND, facts | {"after_type": last[0], "after_id": last[1]})
        return {(row.aggregate_type, row.aggregate_id): Place(row.live, row.done) for row in rows}

    def _events(self, session: TenantSession, places: dict[Aggregate, Place]) -> list[Any]:
        """All that the live consumer has had of these aggregates and this one has not. Raises EventMissing."""
        facts = {
            "types": [kind for kind, _ in places],
            "ids": [id for _, id in places],
            "done": [place.done for place in places.values()],
            "live": [place.live for place in places.values()],
        }
        events = list(session.execute(_EVENTS, facts))
        there = {(event.aggregate_type, event.aggregate_id, event.seq) for event in events}
        for (kind, id), place in places.items():
            for seq in range(place.done + 1, place.live + 1):
                if (kind, id, seq) not in there:
                    raise EventMissing(aggregate=f"{kind}/{id}", sequence=seq)
        return events

    def _have_effects(self, session: TenantSession, events: Sequence[Any], places: dict[Aggregate, Place]) -> None:
        """Handle those whose turn it is; the places move with them."""
        done = {aggregate: place.done for aggregate, place in places.items()}
        not_had = self._not_had(session, events)
        for event in events:
            aggregate = (event.aggregate_type, event.aggregate_id)
            if aggregate not in places or event.seq > places[aggregate].live or event.seq <= done[aggregate]:
                continue
            if event.seq != done[aggregate] + 1:
                raise EventMissing(aggregate=f"{aggregate[0]}/{aggregate[1]}", sequence=done[aggregate] + 1)
            if event.event_id not in not_had:
                self._have_effect(session, event)
            done[aggregate] = event.seq
        moved = [(*aggregate, seq) for aggregate, seq in done.items() if seq > places[aggregate].done]
        if moved:
            session.flush()
            types, ids, seqs = map(list, zip(*moved, strict=True))
            session.execute(_MOVE, {"types": types, "ids": ids, "done": seqs})

    def _not_had(self, session: TenantSession, events: Sequence[Any]) -> set[UUID]:
        """What the live consumer has passed by without an effect: failed, dead, given up, or not for it. Those that it
        may still come back to are remembered."""
        facts = {"consumer": self._consumer.name, "event_ids": [event.event_id for event in events]}
        session.execute(_PASSED_BY, facts)
        return set(session.scalars(_NOT_HAD, facts)) | self._leave_out

    def _have_effect(self, session: TenantSession, event: Any) -> None:
        try:
            have_effect(session, self._consumer, envelope.read(event.envelope), now=self._clock())
        except Exception as error:
            if connection_lost(error) or sqlstate(error) in TRY_AGAIN:
                raise
            said = f"{type(error).__name__}: {error}"[:500]
            raise HandlerFailed(consumer=self._consumer.name, event_id=str(event.event_id), error=said) from error


def _by_id(folder: Path, files: Sequence[Any], *, after: int) -> Iterator[ArchivedEvent]:
    """The events of all files in the order of their ids, which within an aggregate is that of its sequence.

    Files may reach into each other, where an event could leave the outbox only after later ones of other aggregates.
    Only those that do are in memory together.
    """
    waiting = [file for file in files if file.last_id > after]  # by first_id
    heap: list[tuple[int, int, int, list[ArchivedEvent]]] = []
    for number in range(len(waiting) + 1):
        horizon = waiting[number].first_id if number < len(waiting) else None
        while heap and (horizon is None or heap[0][0] < horizon):
            id, which, at, events = heapq.heappop(heap)
            if id > after:
                yield events[at]
            if at + 1 < len(events):
                heapq.heappush(heap, (events[at + 1].id, which, at + 1, events))
        if number < len(waiting):
            events = archive.read(folder / waiting[number].name).events
            heapq.heappush(heap, (events[0].id, number, 0, events))


def _batches(events: Iterator[ArchivedEvent]) -> Iterator[list[ArchivedEvent]]:
    batch: list[ArchivedEvent] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _counted(differences: Sequence[Difference]) -> dict[str, str]:
    return {each.table: f"+{each.added} ~{each.changed} -{each.removed}" for each in differences}
