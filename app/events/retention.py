"""Which events leave the outbox, and what the database remembers of the files they are in.

An event may leave once it has been settled for long enough and waits nowhere, neither it nor any before it in its
aggregate: what is archived of an aggregate is always its beginning. Services: they take a session and never commit.
docs/decisions/0005-retention-and-replay.md says why each step is where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import raw
from app.events import figures
from app.events.archive import ArchivedEvent, Manifest
from app.events.models import EventArchive

_WAITING = """
    waiting AS MATERIALIZED (SELECT event_id FROM delivery WHERE state IN ('parked', 'failed', 'dead'))
"""
_MAY_LEAVE = """
    o.settled_at < :before AND o.event_id NOT IN (SELECT event_id FROM waiting)
    AND NOT EXISTS (
        SELECT FROM outbox e
        WHERE e.aggregate_type = o.aggregate_type AND e.aggregate_id = o.aggregate_id AND e.seq < o.seq
          AND (e.settled_at IS NULL OR e.settled_at >= :before OR e.event_id IN (SELECT event_id FROM waiting)))
"""
# Along the primary key: an index of its own would be paid for by every event, to serve one reader.
_WINDOW = raw("""
    SELECT max(id) AS last_id, count(*) AS seen, coalesce(bool_or(recorded_at >= :before), false) AS reached_the_young
    FROM (SELECT id, recorded_at FROM outbox WHERE id > :after ORDER BY id LIMIT :window) AS w
""")
_RIPE = raw(f"""
    WITH {_WAITING}
    SELECT o.id, o.event_id, o.aggregate_type, o.aggregate_id, o.seq, o.type, o.version, o.occurred_at, o.recorded_at,
           o.envelope, o.settled_at < :ripe AS ripe
    FROM outbox o
    WHERE o.id > :after AND o.id <= :last_id AND {_MAY_LEAVE}
      AND NOT EXISTS (SELECT FROM event_archive a WHERE a.name = ANY(:here) AND a.emptied_at IS NULL
                      AND o.id BETWEEN a.first_id AND a.last_id)
    ORDER BY o.id
""")
_REMOVE = raw(f"""
    WITH {_WAITING}, doomed AS MATERIALIZED (
        SELECT o.id, o.event_id
        FROM unnest(CAST(:ids AS bigint[]), CAST(:event_ids AS uuid[])) AS given (id, event_id)
        JOIN outbox o ON o.id = given.id AND o.event_id = given.event_id
        WHERE {_MAY_LEAVE} FOR UPDATE OF o
    ), receipts AS (
        DELETE FROM delivery d USING doomed, (SELECT DISTINCT consumer FROM subscription) AS s
        WHERE d.consumer = s.consumer AND d.event_id = doomed.event_id AND d.state IN ('done', 'skipped')
    )
    DELETE FROM outbox o USING doomed WHERE o.id = doomed.id
""")
_ENTER = raw("""
    INSERT INTO event_archive (name, host, first_id, last_id, count, sha256, aggregate_types, consumers,
                               recorded_from, recorded_to, archived_at)
    SELECT :name, :host, :first_id, :last_id, :count, :sha256, CAST(:aggregate_types AS text[]),
           ARRAY(SELECT DISTINCT consumer FROM subscription WHERE aggregate_type = ANY(:aggregate_types) ORDER BY 1),
           :recorded_from, :recorded_to, :archived_at
    ON CONFLICT (name) DO UPDATE SET host = excluded.host, emptied_at = NULL
""")
_TO_EMPTY = raw("""
    SELECT a.name,
        EXISTS (SELECT FROM outbox o WHERE o.id BETWEEN a.first_id AND a.last_id) AS holds_something,
        EXISTS (SELECT FROM outbox o
                WHERE o.id BETWEEN a.first_id AND a.last_id AND o.settled_at < :before) AS holds_old
    FROM event_archive a WHERE a.emptied_at IS NULL AND a.name = ANY(:here) ORDER BY a.first_id
""")
_LEFT = raw("""
    SELECT count(*) FROM unnest(CAST(:ids AS bigint[]), CAST(:event_ids AS uuid[])) AS given (id, event_id)
    JOIN outbox USING (id, event_id)
""")
_EMPTIED = raw("UPDATE event_archive SET emptied_at = :now WHERE name = :name")
_UNKNOWN = raw("SELECT name FROM unnest(CAST(:here AS text[])) AS f (name) EXCEPT SELECT name FROM event_archive")
# Settling, deleting and restoring (shared) and subscribing (alone) keep out of each other's way: an event dealt with as
# if everybody had it, while somebody subscribes, would never reach them.
SETTLING = "hashtext('passerelle settling')"
# Deleting (shared) stops while a consumer is rebuilt (alone), which reads the files first and the outbox after.
DELETING = "hashtext('passerelle deleting')"
_MAY_DELETE = raw(f"SELECT pg_try_advisory_xact_lock_shared({DELETING})")
_HOLD = raw(f"SELECT pg_advisory_xact_lock_shared({SETTLING})")


@dataclass(frozen=True, slots=True)
class Age:
    """How old is old: what was settled `before` may leave; what was before `ripe` no longer waits for a fuller file."""

    before: datetime
    ripe: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the outbox: the events in it that may leave, where it ends, whether all after it is too young."""

    events: list[ArchivedEvent]
    is_ripe: bool
    last_id: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Full:
    """A file some of whose events may be in the outbox: whether anything is there at all, and anything old enough."""

    name: str
    holds_something: bool
    holds_old: bool


def hold_subscriptions(session: Session) -> None:
    """No consumer subscribes until this transaction ends."""
    session.execute(_HOLD)


def may_delete(session: Session) -> bool:
    """Whether events may leave the outbox until this transaction ends: not while a consumer is being rebuilt."""
    return bool(session.execute(_MAY_DELETE).scalar_one())


def look(session: Session, *, after: int, age: Age, here: Sequence[str], window: int) -> Window:
    """The next `window` rows after the id `after`. What is within a file of `here` that is not empty waits for it."""
    seen = session.execute(_WINDOW, {"after": after, "before": age.before, "window": window}).one()
    is_last = seen.reached_the_young or seen.seen < window
    if not seen.seen:
        return Window([], False, after, True)
    facts = {"after": after, "last_id": seen.last_id, "before": age.before, "ripe": age.ripe, "here": list(here)}
    rows = session.execute(_RIPE, facts).mappings().all()
    events = [ArchivedEvent(**{name: row[name] for name in row if name != "ripe"}) for row in rows]
    return Window(events, any(row["ripe"] for row in rows), seen.last_id, is_last)


def enter(session: Session, manifest: Manifest) -> None:
    """Remember a file, as one whose events are still in the outbox."""
    session.execute(_ENTER, asdict(manifest))


def remove(session: Session, events: Iterable[ArchivedEvent], *, before: datetime) -> int:
    """Delete archived events, with their receipts, from the outbox; how many that were.

    Only those that may still leave: a consumer may have subscribed meanwhile that wants them. The caller sees to it
    that none does until this transaction ends.
    """
    return session.execute(_REMOVE, _ids(events) | {"before": before}).rowcount  # type: ignore[attr-defined]


def left_of(session: Session, events: Iterable[ArchivedEvent]) -> int:
    """How many of these events are in the outbox."""
    return int(session.execute(_LEFT, _ids(events)).scalar_one())


def emptied(session: Session, name: str, *, now: datetime) -> None:
    session.execute(_EMPTIED, {"name": name, "now": now})


def unknown(session: Session, here: Sequence[str]) -> list[str]:
    """The files that the database does not know: written by somebody who died before saying so, or brought here."""
    return sorted(session.scalars(_UNKNOWN, {"here": list(here)}))


def to_empty(session: Session, here: Sequence[str], *, before: datetime) -> list[Full]:
    """The files of `here` that are not known to be empty, in the order of their events."""
    rows = session.execute(_TO_EMPTY, {"here": list(here), "before": before})
    return [Full(row.name, row.holds_something, row.holds_old) for row in rows]


def archives(session: Session) -> list[EventArchive]:
    """Every file that the database knows, in the order of its events."""
    return list(session.scalars(select(EventArchive).order_by(EventArchive.first_id, EventArchive.name)))


def note_success(session: Session, *, now: datetime) -> None:
    """The archivist has done what there was to do."""
    figures.note(session, figures.ARCHIVE_WENT_WELL, 1, now=now)
    figures.forget(session, figures.ARCHIVE_FAILING)


def note_failure(session: Session, error: str, *, now: datetime) -> None:
    """It could not; since when is kept."""
    figures.note(session, figures.ARCHIVE_FAILING, 1, now=now, said=error, keep_since=True)


def _ids(events: Iterable[ArchivedEvent]) -> dict[str, Any]:
    pairs = [(event.id, event.event_id) for event in events]
    return {"ids": [id for id, _ in pairs], "event_ids": [event_id for _, event_id in pairs]}
