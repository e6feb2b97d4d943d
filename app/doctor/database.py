"""The database: its version, its schema, and that it refuses what it must."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.db import raw, schema_fault, schema_head, sqlstate
from app.doctor.finding import Fault

OLDEST_SERVER = 150000
EXCLUSION_VIOLATION, CHECK_VIOLATION = "23P01", "23514"

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
    "cancellation_step", "vat_regime",
}  # fmt: skip


DATABASE_CHECKS: list[tuple[str, Callable[[Connection], str]]] = [
    ("database", _answers),
    ("schema", _schema),
    ("occupancies", _overlaps_refused),
    ("triggers", _triggers),
]
