"""`passerelle doctor`: is everything in place that the guarantees rest on?

Each check is a function that returns what it found, or raises; a row of CHECKS names it. Nothing it does stays: what it
inserts, to see it refused, is rolled back.
"""

from __future__ import annotations

import os
import shutil
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

OLDEST_SERVER = 150000
LEAST_DISK = 200 * 1024 * 1024  # bytes free under PASSERELLE_HOME
LONGEST_LAG = timedelta(minutes=1)
LONGEST_OVERDUE = timedelta(minutes=5)
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
        return findings + _examine_database(engine)
    finally:
        engine.dispose()


def _examine_database(engine: Engine) -> list[Finding]:
    findings = []
    for name, check in DATABASE_CHECKS:
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

_GAPS = raw(
    """
    SELECT count(*) FROM (
        SELECT FROM outbox GROUP BY aggregate_type, aggregate_id HAVING count(*) <> max(seq) - min(seq) + 1
    ) AS gap
    """
)
_UNRECORDED = raw(
    """
    SELECT count(*) FROM (
        SELECT 'booking' AS kind, uid, event_seq FROM booking
        UNION ALL SELECT 'space', uid, event_seq FROM space
        UNION ALL SELECT 'waitlist_entry', uid, event_seq FROM waitlist_entry
    ) AS counted
    JOIN (SELECT aggregate_type, aggregate_id, max(seq) AS last FROM outbox GROUP BY 1, 2) AS recorded
      ON aggregate_type = kind AND aggregate_id = uid
    WHERE event_seq <> last
    """
)
_AHEAD = raw(
    """
    SELECT count(*) FROM cursor c
    WHERE last_seq > (SELECT max(seq) FROM outbox o
                      WHERE o.aggregate_type = c.aggregate_type AND o.aggregate_id = c.aggregate_id)
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


def _due(connection: Connection) -> str:
    overdue = connection.execute(_HEALTH).one().overdue
    if overdue and overdue > LONGEST_OVERDUE:
        raise Fault(
            f"something has been due for {_spoken(overdue)}: does the timekeeper run (`passerelle worker all`)?"
        )
    return "nothing is overdue"


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
    ("deliveries", _deliveries),
    ("due", _due),
]
