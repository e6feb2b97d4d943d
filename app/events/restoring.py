"""Archived events come back into the outbox, for consumers that have not had them.

A consumer that has had an event, by its cursor, gets its receipt back with the event, so that nobody sends it again;
an event that everybody has had comes back settled, and goes nowhere. The file then counts as full: once its events have
been settled for long enough, the archivist deletes them from the outbox again, and writes no second file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from app.db import TenantSession, raw, transaction
from app.errors import Problem
from app.events import archive, retention
from app.events.archive import ArchivedEvent
from app.tenancy import SYSTEM

SLICE = 500  # events in one transaction

_NEEDED = raw("""
    SELECT a.name, a.host FROM event_archive a WHERE EXISTS (
        SELECT FROM subscription s
        WHERE s.aggregate_type = ANY(a.aggregate_types) AND s.consumer <> ALL(a.consumers)
          AND (s.after IS NULL OR s.after < a.recorded_to)
    ) ORDER BY a.first_id, a.name
""")
_BETWEEN = raw("""
    SELECT name, host FROM event_archive
    WHERE recorded_to >= coalesce(CAST(:since AS timestamptz), '-infinity')
      AND recorded_from < coalesce(CAST(:until AS timestamptz), 'infinity')
    ORDER BY first_id, name
""")
_RESTORE = raw("""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:id AS bigint[]), CAST(:event_id AS uuid[]), CAST(:aggregate_type AS text[]),
            CAST(:aggregate_id AS uuid[]), CAST(:seq AS bigint[]), CAST(:type AS text[]), CAST(:version AS int[]),
            CAST(:occurred_at AS timestamptz[]), CAST(:recorded_at AS timestamptz[]), CAST(:envelope AS text[])
        ) AS g (id, event_id, aggregate_type, aggregate_id, seq, type, version, occurred_at, recorded_at, envelope)
    ), standing AS (
        SELECT g.event_id, s.consumer, coalesce(c.last_seq, 0) >= g.seq AS has_had
        FROM given g
        JOIN subscription s ON s.aggregate_type = g.aggregate_type AND (s.after IS NULL OR g.recorded_at > s.after)
        LEFT JOIN cursor c ON c.consumer = s.consumer AND c.aggregate_type = g.aggregate_type
            AND c.aggregate_id = g.aggregate_id
    ), restored AS (
        INSERT INTO outbox (id, event_id, aggregate_type, aggregate_id, seq, type, version, occurred_at, recorded_at,
                            envelope, published_at, settled_at)
        SELECT g.*, CASE WHEN NOT goes_out THEN :now END, CASE WHEN NOT goes_out THEN :now END
        FROM given g, LATERAL (SELECT :publish OR EXISTS (
            SELECT FROM standing s WHERE s.event_id = g.event_id AND NOT s.has_had) AS goes_out) AS how
        ON CONFLICT DO NOTHING
        RETURNING event_id, aggregate_type, aggregate_id, seq, published_at
    ), receipts AS (
        INSERT INTO delivery (consumer, event_id, aggregate_type, aggregate_id, seq, state)
        SELECT s.consumer, r.event_id, r.aggregate_type, r.aggregate_id, r.seq, 'done'
        FROM restored r JOIN standing s ON s.event_id = r.event_id AND s.has_had
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) AS restored, count(*) FILTER (WHERE published_at IS NULL) AS going_out FROM restored
""")
# In a database that was made anew, the numbers of the archives must not be given a second time.
_NUMBERS = raw("""
    SELECT setval('outbox_id_seq', :last_id) WHERE :last_id > coalesce(pg_sequence_last_value('outbox_id_seq'), 0)
""")
_HAVE_IT = raw("""
    UPDATE event_archive SET consumers = ARRAY(
        SELECT DISTINCT consumer FROM subscription WHERE aggregate_type = ANY(aggregate_types) ORDER BY 1)
    WHERE name = :name
""")


class ArchiveForeign(Problem):
    code = "archive_foreign"
    status = 409
    title = "This archive is of another installation: other events have the places of its events here."


class ArchiveElsewhere(Problem):
    code = "archive_elsewhere"
    status = 409
    title = "An archive is not in this host's folder: bring it from the host that wrote it."


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back from one file: of its `events`, `restored` were not there, and `going_out` of those are sent."""

    file: str
    events: int
    restored: int
    going_out: int


def needed(session: Session, folder: Path) -> list[Path]:
    """The files with events that a subscribed consumer has never had. Raises ArchiveElsewhere."""
    return _here(session.execute(_NEEDED), folder)


def between(session: Session, folder: Path, *, since: datetime | None, until: datetime | None) -> list[Path]:
    """The files with events recorded from `since` on and before `until`. Raises ArchiveElsewhere."""
    return _here(session.execute(_BETWEEN, {"since": since, "until": until}), folder)


def _here(rows: Iterable[Any], folder: Path) -> list[Path]:
    there = set(archive.names(folder))
    wanted = [(row.name, row.host) for row in rows]
    if missing := [pair for pair in wanted if pair[0] not in there]:
        raise ArchiveElsewhere(folder=str(folder), file=missing[0][0], written_by=missing[0][1], missing=len(missing))
    return [folder / name for name, _ in wanted]


def restore(
    make_session: sessionmaker[TenantSession],
    files: Sequence[Path],
    *,
    now: datetime,
    publish: bool = False,
    dry_run: bool = False,
    told: Callable[[int], object] = lambda _: None,
) -> Iterator[Restored]:
    """Bring the events of `files` back, file by file, in transactions of its own; `told` hears how many at a time.

    `publish` sends them all, also those that every consumer has had. `dry_run` undoes each step. Done again it changes
    nothing; killed, it goes on where it was. Raises ArchiveDamaged, ArchiveForeign, OSError.
    """
    for path in files:
        kept = archive.read(path)
        if not dry_run:
            with transaction(make_session, SYSTEM) as session:
                retention.enter(session, kept.manifest)  # full from now on: what comes back is not archived anew
        restored = going_out = 0
        for begin in range(0, len(kept.events), SLICE):
            part = kept.events[begin : begin + SLICE]
            row = _restore_part(make_session, part, now=now, publish=publish, dry_run=dry_run)
            restored, going_out = restored + row.restored, going_out + row.going_out
            told(len(part))
        if not dry_run:
            with transaction(make_session, SYSTEM) as session:
                session.execute(_HAVE_IT, {"name": kept.manifest.name})
        yield Restored(path.name, len(kept.events), restored, going_out)


def _restore_part(
    make_session: sessionmaker[TenantSession],
    events: Sequence[ArchivedEvent],
    *,
    now: datetime,
    publish: bool,
    dry_run: bool,
) -> Any:
    with transaction(make_session, SYSTEM) as session:
        retention.hold_subscriptions(session)
        row = session.execute(_RESTORE, _columns(events) | {"now": now, "publish": publish}).one()
        if retention.left_of(session, events) != len(events):
            raise ArchiveForeign(first_id=events[0].id, last_id=events[-1].id)
        if dry_run:
            session.rollback()
        else:
            session.execute(_NUMBERS, {"last_id": events[-1].id})
        return row


def _columns(events: Sequence[ArchivedEvent]) -> dict[str, list[Any]]:
    rows = [asdict(event) for event in events]
    return {name: [row[name] for row in rows] for name in rows[0]}
