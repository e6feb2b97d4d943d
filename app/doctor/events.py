"""Events: numbered without gap, gone out, received, archived."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from app.config import Config
from app.db import raw
from app.doctor.finding import Fault, spoken
from app.events.archive import FOLDER, names

LONGEST_LAG = timedelta(minutes=1)
LONGEST_OVERDUE = timedelta(minutes=5)
LONGEST_UNRECEIVED = timedelta(minutes=5)

# What an aggregate misses may be in an archive: its beginning always, a part in the middle or at the end while others
# have been restored. An event's id is higher than those before it in its aggregate; so the missing one would be in a
# file whose range reaches between its neighbours.
_GAPS = raw(
    """
    WITH suspect AS (
        SELECT aggregate_type, aggregate_id FROM outbox GROUP BY aggregate_type, aggregate_id
        HAVING count(*) <> max(seq) - min(seq) + 1
    ), followed AS (
        SELECT aggregate_type, aggregate_id, id, seq,
            lag(id) OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY seq) AS before_id,
            lag(seq) OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY seq) AS before_seq
        FROM outbox JOIN suspect USING (aggregate_type, aggregate_id)
    )
    SELECT count(DISTINCT (aggregate_type, aggregate_id)) FROM followed f
    WHERE seq <> before_seq + 1
      AND NOT EXISTS (SELECT FROM event_archive a WHERE a.last_id > f.before_id AND a.first_id < f.id)
    """
)
_UNRECORDED = raw(
    """
    SELECT count(*) FROM (
        SELECT 'booking' AS kind, uid, event_seq FROM booking
        UNION ALL SELECT 'space', uid, event_seq FROM space
        UNION ALL SELECT 'waitlist_entry', uid, event_seq FROM waitlist_entry
        UNION ALL SELECT 'webhook', uid, event_seq FROM webhook
    ) AS counted
    JOIN (SELECT aggregate_type, aggregate_id, max(seq) AS last, max(id) AS last_id
          FROM outbox GROUP BY aggregate_type, aggregate_id) AS recorded
      ON aggregate_type = kind AND aggregate_id = uid
    WHERE event_seq < last
       OR (event_seq > last AND NOT EXISTS (SELECT FROM event_archive a WHERE a.last_id > recorded.last_id))
    """
)
_AHEAD = raw(
    """
    SELECT count(*) FROM cursor c
    JOIN (SELECT aggregate_type, aggregate_id, max(seq) AS last, max(id) AS last_id
          FROM outbox GROUP BY aggregate_type, aggregate_id) AS recorded
      USING (aggregate_type, aggregate_id)
    WHERE c.last_seq > last AND NOT EXISTS (SELECT FROM event_archive a WHERE a.last_id > recorded.last_id)
    """
)
_BEYOND = raw(
    """
    SELECT count(*) FROM delivery d LEFT JOIN cursor c USING (consumer, aggregate_type, aggregate_id)
    WHERE d.state IN ('done', 'skipped') AND d.seq > coalesce(c.last_seq, 0)
    """
)
_HEALTH = raw(
    """
    SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
        (SELECT clock_timestamp() - min(recorded_at) FROM outbox WHERE published_at IS NULL) AS lag,
        (SELECT count(*) FROM delivery WHERE state = 'dead') AS dead,
        (SELECT count(*) FROM delivery WHERE state = 'failed') AS failed,
        (SELECT clock_timestamp() - min(at) FROM due) AS overdue
    """
)
_UNRECEIVED = raw(
    """
    SELECT s.consumer, count(*) AS events, clock_timestamp() - min(o.recorded_at) AS age
    FROM (SELECT * FROM outbox WHERE settled_at IS NULL ORDER BY id LIMIT 100000) AS o
    JOIN subscription s ON s.aggregate_type = o.aggregate_type AND (s.after IS NULL OR o.recorded_at > s.after)
    WHERE o.published_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.consumer = s.consumer AND d.event_id = o.event_id)
    GROUP BY s.consumer ORDER BY age DESC LIMIT 1
    """
)
_DEAD_LETTERS = raw("SELECT value FROM figure WHERE name = 'dead_letters'")
_ARCHIVE = raw(
    """
    SELECT (SELECT count(*) FROM event_archive) AS files,
        (SELECT coalesce(sum(count), 0) FROM event_archive) AS events,
        (SELECT note FROM figure WHERE name = 'archive_failing') AS failing,
        (SELECT clock_timestamp() - at FROM figure WHERE name = 'archive_failing') AS failing_for
    """
)
_NEVER_HAD = raw(
    """
    SELECT s.consumer, count(*) AS files FROM (
        SELECT DISTINCT s.consumer, a.name FROM subscription s JOIN event_archive a
          ON s.aggregate_type = ANY(a.aggregate_types) AND s.consumer <> ALL(a.consumers)
         AND (s.after IS NULL OR s.after < a.recorded_to)
    ) AS s GROUP BY s.consumer ORDER BY s.consumer
    """
)
_WRITTEN_HERE = raw("SELECT name FROM event_archive WHERE host = :host ORDER BY first_id")


def _sequences(connection: Connection) -> str:
    for statement, fault in [
        (_GAPS, "aggregates have a gap in their events"),
        (_UNRECORDED, "aggregates count other events than the outbox holds"),
        (_AHEAD, "consumers' cursors are ahead of the outbox"),
        (_BEYOND, "receipts are beyond their consumer's cursor"),
    ]:
        if found := connection.execute(statement).scalar_one():
            raise Fault(f"{found} {fault}")
    return "events are numbered without gap, and no consumer is ahead of them"


def _outbox(connection: Connection) -> str:
    health = connection.execute(_HEALTH).one()
    if health.lag and health.lag > LONGEST_LAG:
        raise Fault(f"{health.unpublished} events wait, the oldest for {spoken(health.lag)}: does the relay run?")
    return f"{health.unpublished} events wait to go out"


def _deliveries(connection: Connection) -> str:
    health = connection.execute(_HEALTH).one()
    if health.dead:
        raise Fault(f"{health.dead} were given up: `passerelle events dead` lists them, `... replay` tries them again")
    return f"none was given up, {health.failed} will be tried again"


def _consumers(connection: Connection) -> str:
    late = connection.execute(_UNRECEIVED).one_or_none()
    if late and late.age > LONGEST_UNRECEIVED:
        remedy = f"does `passerelle worker {late.consumer}` run?"
        raise Fault(
            f"{late.consumer} has not received {late.events} events, the oldest for {spoken(late.age)}: {remedy}"
        )
    return "everybody has received what went out"


def _dead_letters(connection: Connection) -> str:
    found = connection.execute(_DEAD_LETTERS).scalar_one_or_none()
    if found:
        raise Fault(f"{int(found)} messages could be read by nobody, and are in the bus's queue of dead letters")
    return "no message was unreadable"


def _due(connection: Connection) -> str:
    overdue = connection.execute(_HEALTH).one().overdue
    if overdue and overdue > LONGEST_OVERDUE:
        raise Fault(f"something has been due for {spoken(overdue)}: does the timekeeper run (`passerelle worker all`)?")
    return "nothing is overdue"


def archive_check(config: Config, connection: Connection) -> str:
    """Are old events being archived, are this host's files there, and has everybody had what is in them?"""
    kept = connection.execute(_ARCHIVE).one()
    if kept.failing:
        raise Fault(
            f"events cannot be archived for {spoken(kept.failing_for)}: {kept.failing}; none is deleted till then"
        )
    folder = config.home / FOLDER
    written = connection.execute(_WRITTEN_HERE, {"host": socket.gethostname()}).scalars()
    if missing := sorted(set(written) - set(names(folder))):
        raise Fault(f"{len(missing)} archives of this host are not in {folder}, {missing[0]} first: bring them back")
    for row in connection.execute(_NEVER_HAD):
        remedy = "`passerelle events replay --from-archive` brings them back for it"
        raise Fault(f"{row.consumer} has never had the events of {row.files} archives: {remedy}")
    return f"{kept.events} events in {kept.files} files"


EVENT_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [
    ("sequences", _sequences),
    ("outbox", _outbox),
    ("consumers", _consumers),
    ("deliveries", _deliveries),
    ("dead letters", _dead_letters),
    ("due", _due),
]
