"""`passerelle doctor`: is everything in place that the guarantees rest on?

Each check is a function that returns what it found, or raises; a row of CHECKS names it. Nothing it does stays: what it
inserts, to see it refused, is rolled back.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.config import Config
from app.db import make_engine, raw, schema_fault, schema_head, sqlstate
from app.events.archive import FOLDER, names

OLDEST_SERVER = 150000
LEAST_DISK = 200 * 1024 * 1024  # bytes free under PASSERELLE_HOME
LONGEST_LAG = timedelta(minutes=1)
LONGEST_OVERDUE = timedelta(minutes=5)
LONGEST_UNRECEIVED = timedelta(minutes=5)
LONGEST_UNSENT = timedelta(minutes=30)  # mails and webhooks, after the time they should have gone
EXCLUSION_VIOLATION, CHECK_VIOLATION = "23P01", "23514"


class Fault(Exception):
    """Something is not as it must be; the text says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    good: bool
    detail: str


def examine(config: Config) -> list[Finding]:
    """Every check, in order; without a database and its schema, those that ask it more are not tried."""
    findings = [_tried(name, partial(check, config)) for name, check in MACHINE_CHECKS]
    if config.database_url is None:
        remedy = f"DATABASE_URL is not set, and no embedded server runs in {config.home}: `passerelle up` starts one"
        return [*findings, Finding("database", False, remedy)]
    engine = make_engine(config.database_url, pool_size=1, application_name="passerelle-doctor")
    try:
        return findings + _examine_database(engine, config)
    finally:
        engine.dispose()


def _examine_database(engine: Engine, config: Config) -> list[Finding]:
    findings = []
    checks: list[tuple[str, Callable[[Connection], str]]] = [*DATABASE_CHECKS, ("archive", partial(_archive, config))]
    for name, check in checks:
        findings.append(_tried(name, partial(_in_undone_transaction, engine, check)))
        if name in ALL_ELSE_NEEDS and not findings[-1].good:
            break
    return findings


def _in_undone_transaction(engine: Engine, check: Callable[[Connection], str]) -> str:
    with engine.connect() as connection:
        try:
            return check(connection)
        finally:
            connection.rollback()


def _tried(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Fault as fault:
        return Finding(name, False, str(fault))
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}")


def show(findings: list[Finding]) -> None:
    """A table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "", "found", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.name, "[green]ok[/]" if finding.good else "[bold red]FAULT[/]", finding.detail)
    Console(highlight=False).print(table)


# --- the machine


def _configuration(config: Config) -> str:
    from app import logs

    logs.configure(config)
    if config.port == 0:
        raise Fault("PORT is 0: choose one from 1 to 65535")
    if config.broker_url.partition(":")[0] not in ("memory", "amqp", "amqps"):
        raise Fault("BROKER_URL is neither amqp:// nor memory://")
    return "every setting can be read; `passerelle settings` lists them"


def _home(config: Config) -> str:
    if not config.home.exists():
        return _home_to_come(config.home)
    with tempfile.NamedTemporaryFile(dir=config.home) as file:
        file.write(b"written")
        file.flush()
    free = shutil.disk_usage(config.home).free
    if free < LEAST_DISK:
        raise Fault(f"{config.home} has {free // 2**20} MB left: make room")
    return f"{config.home} can be written, {free // 2**20} MB free"


def _home_to_come(home: Path) -> str:
    """Looking makes nothing: the first start makes the folder."""
    there = next(folder for folder in home.parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise Fault(f"{home} is not there, and cannot be made in {there}: make it, or set PASSERELLE_HOME")
    return f"{home} is not there yet; the first start makes it"


def _secret_key(config: Config) -> str:
    from app.secret_key import kept_key

    if kept_key(config) is None:
        return "not there yet; the first start makes it"
    file = config.home / "secret_key"
    if not config.secret_key and (mode := file.stat().st_mode & 0o077):
        raise Fault(f"others can read {file} (mode ...{mode:03o}): chmod 600")
    return "there"


def _bus(config: Config) -> str:
    from app.bus import Bus

    bus = Bus(config.broker_url)
    if bus.in_memory:
        return "memory:// inside the one worker process"
    with bus.connection("doctor") as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
    return "the broker answers"


MACHINE_CHECKS: list[tuple[str, Callable[[Config], str]]] = [
    ("configuration", _configuration),
    ("data folder", _home),
    ("secret key", _secret_key),
    ("bus", _bus),
]

# --- the database

_VERSION = raw("SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS name")
_SCENE = raw(
    """
    WITH n AS (
        INSERT INTO network (uid, slug, name, country)
        VALUES (gen_random_uuid(), gen_random_uuid()::text, 'doctor', 'BE') RETURNING id
    ), o AS (
        INSERT INTO operator (uid, network_id, name, country, company_number, iban)
        SELECT gen_random_uuid(), id, 'doctor', 'BE', gen_random_uuid()::text, '' FROM n RETURNING id, network_id
    )
    INSERT INTO space (uid, slug, network_id, operator_id, name, postcode, town, country, timezone, latitude, longitude)
    SELECT gen_random_uuid(), gen_random_uuid()::text, network_id, id, 'doctor', '', '', 'BE', 'Europe/Brussels', 0, 0
    FROM o RETURNING id
    """
)
_UNIT = raw("INSERT INTO unit (uid, space_id, name) VALUES (gen_random_uuid(), :space_id, 'doctor') RETURNING id")
_OCCUPY = raw("INSERT INTO occupancy (unit_id, period, kind) VALUES (:unit_id, CAST(:period AS tstzrange), 'external')")
_REVISION = raw("SELECT revision FROM space WHERE id = :space_id")
_TRIGGERS = raw("SELECT tgrelid::regclass::text AS on_table FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'")

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
_MAILS = raw(
    """
    SELECT (SELECT clock_timestamp() - min(send_after) FROM notification
            WHERE state IN ('pending', 'sending') AND send_after < clock_timestamp()) AS waiting,
        (SELECT count(*) FROM notification WHERE state IN ('pending', 'sending')) AS unsent,
        (SELECT count(*) FROM notification WHERE state IN ('failed', 'bounced') AND state = 'failed'
              AND created_at > clock_timestamp() - interval '7 days') AS failed
    """
)
_WEBHOOKS = raw(
    """
    SELECT (SELECT clock_timestamp() - min(next_attempt_at) FROM webhook_delivery
            WHERE state IN ('pending', 'failed', 'sending') AND next_attempt_at < clock_timestamp()) AS waiting,
        (SELECT count(*) FROM webhook WHERE archived_at IS NULL AND failing_since IS NOT NULL) AS failing,
        (SELECT count(*) FROM webhook WHERE archived_at IS NULL AND state = 'disabled') AS disabled
    """
)
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


def _answers(connection: Connection) -> str:
    version = connection.execute(_VERSION).one()
    if version.number < OLDEST_SERVER:
        raise Fault(f"PostgreSQL {version.name} is too old: 15 or newer is needed")
    return f"PostgreSQL {version.name} answers"


def _schema(connection: Connection) -> str:
    if fault := schema_fault(connection):
        raise Fault(f"{fault}: run `passerelle migrate`")
    return f"at {schema_head()}, the newest"


def _overlaps_refused(connection: Connection) -> str:
    space_id = connection.execute(_SCENE).scalar_one()
    unit_id = connection.execute(_UNIT, {"space_id": space_id}).scalar_one()
    _occupy(connection, unit_id, "[2000-01-01 09:00Z,2000-01-01 11:00Z)")
    _occupy(connection, unit_id, "[2000-01-01 11:00Z,2000-01-01 12:00Z)")
    for period, state in [
        ("[2000-01-01 10:00Z,2000-01-01 12:00Z)", EXCLUSION_VIOLATION),
        ("empty", CHECK_VIOLATION),
        ("[2000-01-01 13:00Z,)", CHECK_VIOLATION),
    ]:
        if _refusal(connection, unit_id, period) != state:
            raise Fault(f"the database accepted the occupancy {period}: a constraint is missing, migrate a fresh copy")
    return "two occupancies of a unit cannot overlap, be empty or be endless"


def _occupy(connection: Connection, unit_id: int, period: str) -> None:
    connection.execute(_OCCUPY, {"unit_id": unit_id, "period": period})


def _refusal(connection: Connection, unit_id: int, period: str) -> str | None:
    try:
        with connection.begin_nested():
            _occupy(connection, unit_id, period)
    except DBAPIError as error:
        return sqlstate(error)
    return None


def _triggers(connection: Connection) -> str:
    space_id = connection.execute(_SCENE).scalar_one()
    before = connection.execute(_REVISION, {"space_id": space_id}).scalar_one()
    connection.execute(_UNIT, {"space_id": space_id})
    if connection.execute(_REVISION, {"space_id": space_id}).scalar_one() == before:
        raise Fault("a change of a space's units does not grow its revision: the trigger touch_space is missing")
    missing = CATALOGUE_TABLES - set(connection.execute(_TRIGGERS).scalars())
    if missing:
        raise Fault(f"no trigger on {', '.join(sorted(missing))}: copies of these would stay stale")
    return f"{len(CATALOGUE_TABLES)} tables grow their space's revision"


CATALOGUE_TABLES = {
    "space", "unit", "resource", "opening_hours", "hours_exception", "resource_unit", "booking_rule", "price_list",
    "vat_regime",
}  # fmt: skip


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
        raise Fault(f"{health.unpublished} events wait, the oldest for {_spoken(health.lag)}: does the relay run?")
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
            f"{late.consumer} has not received {late.events} events, the oldest for {_spoken(late.age)}: {remedy}"
        )
    return "everybody has received what went out"


def _dead_letters(connection: Connection) -> str:
    found = connection.execute(_DEAD_LETTERS).scalar_one_or_none()
    if found:
        raise Fault(f"{int(found)} messages could be read by nobody, and are in the bus's queue of dead letters")
    return "no message was unreadable"


def _mails(connection: Connection) -> str:
    mails = connection.execute(_MAILS).one()
    if mails.waiting and mails.waiting > LONGEST_UNSENT:
        remedy = "does `passerelle worker notifications` run, and does the mail server answer?"
        raise Fault(f"{mails.unsent} mails wait, the oldest for {_spoken(mails.waiting)}: {remedy}")
    if mails.failed:
        raise Fault(f"{mails.failed} mails of the last week were given up: notification.last_error says why")
    return f"{mails.unsent} mails wait for their time"


def _webhooks(connection: Connection) -> str:
    webhooks = connection.execute(_WEBHOOKS).one()
    if webhooks.waiting and webhooks.waiting > LONGEST_UNSENT:
        remedy = "does `passerelle worker webhooks` run?"
        raise Fault(f"messages to webhooks should have gone {_spoken(webhooks.waiting)} ago: {remedy}")
    return f"{webhooks.failing} webhooks are failing, {webhooks.disabled} disabled: their holders are told"


def _due(connection: Connection) -> str:
    overdue = connection.execute(_HEALTH).one().overdue
    if overdue and overdue > LONGEST_OVERDUE:
        raise Fault(
            f"something has been due for {_spoken(overdue)}: does the timekeeper run (`passerelle worker all`)?"
        )
    return "nothing is overdue"


def _archive(config: Config, connection: Connection) -> str:
    """Are old events being archived, are this host's files there, and has everybody had what is in them?"""
    kept = connection.execute(_ARCHIVE).one()
    if kept.failing:
        raise Fault(
            f"events cannot be archived for {_spoken(kept.failing_for)}: {kept.failing}; none is deleted till then"
        )
    folder = config.home / FOLDER
    written = connection.execute(_WRITTEN_HERE, {"host": socket.gethostname()}).scalars()
    if missing := sorted(set(written) - set(names(folder))):
        raise Fault(f"{len(missing)} archives of this host are not in {folder}, {missing[0]} first: bring them back")
    for row in connection.execute(_NEVER_HAD):
        remedy = "`passerelle events replay --from-archive` brings them back for it"
        raise Fault(f"{row.consumer} has never had the events of {row.files} archives: {remedy}")
    return f"{kept.events} events in {kept.files} files"


def _spoken(age: timedelta) -> str:
    return str(timedelta(seconds=int(age.total_seconds())))


ALL_ELSE_NEEDS = ("database", "schema")
DATABASE_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [
    ("database", _answers),
    ("schema", _schema),
    ("occupancies", _overlaps_refused),
    ("triggers", _triggers),
    ("sequences", _sequences),
    ("outbox", _outbox),
    ("consumers", _consumers),
    ("deliveries", _deliveries),
    ("dead letters", _dead_letters),
    ("mails", _mails),
    ("webhooks", _webhooks),
    ("due", _due),
]
