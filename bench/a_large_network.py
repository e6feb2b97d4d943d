"""A network of a thousand resources and 25,000 units, with as much history as asked, for benchmarks.

On the day asked, the same places are taken whatever the history: 4 of 10 at any hour of the working day.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, create_engine, make_url, text

from app.db import make_engine, migrate

SPACES, RESOURCES_PER_SPACE, UNITS_PER_RESOURCE = 200, 5, 25
UNITS = SPACES * RESOURCES_PER_SPACE * UNITS_PER_RESOURCE
ZONE = ZoneInfo("Europe/Brussels")
DAY = datetime.now(UTC).date() + timedelta(days=21)

# Spaces stand on a line to the east, a kilometre apart, so that `within_km` picks exactly as many as wanted.
LATITUDE, LONGITUDE, DEGREES_PER_KM = 50.0, 4.0, 0.01399

_PLACES = f"""
INSERT INTO network (uid, slug, name, country) VALUES (gen_random_uuid(), 'large', 'A large network', 'BE');
INSERT INTO operator (uid, network_id, name, country, company_number, vat_number, iban)
    SELECT gen_random_uuid(), id, 'Operator', 'BE', '0200000042', 'BE0200000042', 'BE00' FROM network;
INSERT INTO vat_regime (operator_id, valid_from, regime) SELECT id, '2020-01-01', 'standard' FROM operator;
INSERT INTO space (uid, slug, network_id, operator_id, name, postcode, town, country, timezone, latitude, longitude,
                   closed_on_holidays)
    SELECT gen_random_uuid(), 'space-' || n, o.network_id, o.id, 'Space ' || n, '7800', 'Town ' || n, 'BE',
           'Europe/Brussels', {LATITUDE}, {LONGITUDE} + n * {DEGREES_PER_KM}, false
    FROM operator o, generate_series(0, {SPACES - 1}) n;
INSERT INTO opening_hours (space_id, weekday, opens, closes)
    SELECT id, d, '08:00', '19:00' FROM space, generate_series(0, 6) d;
INSERT INTO resource (uid, space_id, kind, takes, name, capacity)
    SELECT gen_random_uuid(), s.id, 'desk_pool', 'any', 'Desks ' || n, {UNITS_PER_RESOURCE}
    FROM space s, generate_series(1, {RESOURCES_PER_SPACE}) n ORDER BY s.id, n;
INSERT INTO unit (uid, space_id, name)
    SELECT gen_random_uuid(), r.space_id, r.id || '/' || n FROM resource r, generate_series(1, {UNITS_PER_RESOURCE}) n
    ORDER BY r.id, n;
INSERT INTO resource_unit (resource_id, unit_id) SELECT split_part(name, '/', 1)::bigint, id FROM unit;
INSERT INTO booking_rule (resource_id, buffer_after_minutes) SELECT id, CASE id % 4 WHEN 0 THEN 15 ELSE 0 END
    FROM resource;
INSERT INTO price_list (resource_id, valid_from, hour_tiers, half_day_cents, day_cents)
    SELECT id, '2020-01-01', jsonb_build_array(jsonb_build_array(null, 300 + 50 * (id % 20))), 1200, 2000 + id % 9
    FROM resource;
"""

# On the day: four units of ten, a morning and an afternoon each.
_THE_DAY = f"""
INSERT INTO occupancy (unit_id, period, kind)
    SELECT id, tstzrange(start, start + interval '4 hours'), 'external'
    FROM unit, (VALUES (timestamptz '{DAY} 08:00 {ZONE.key}'), (timestamptz '{DAY} 13:00 {ZONE.key}')) AS half(start)
    WHERE id % 10 < 4
"""
# Around it: the rest, a unit having at most one a day, over as many days before and after as it takes.
_HISTORY = f"""
INSERT INTO occupancy (unit_id, period, kind)
    SELECT id, tstzrange(start, start + interval '6 hours'), 'external'
    FROM unit,
         LATERAL (SELECT timestamptz '{DAY} 09:00 {ZONE.key}'
                         + (CASE WHEN n <= 3 THEN n ELSE 3 - n END) * interval '7 days'
                         + (id % 5 - 2) * interval '1 day' AS start
                  FROM generate_series(1, ceil(:rows / {UNITS}.0)::int) n) AS around
    ORDER BY start LIMIT :rows
"""


def local(hour: int, day: date = DAY) -> datetime:
    """An hour of the day asked, on the wall."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)


@contextmanager
def large_network(server: str, *, history: int) -> Iterator[Engine]:
    """A database of its own on a server, with `history` occupancies beside those of the day; dropped at the end."""
    name = f"passerelle_bench_{os.getpid()}_{history}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    try:
        migrate(url)
        engine = make_engine(url)
        fill(engine, history)
        yield engine
        engine.dispose()
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()


def fill(engine: Engine, history: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for statement in _PLACES.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
        with _without_indexes(connection):
            connection.execute(text(_THE_DAY))
            connection.execute(text(_HISTORY), {"rows": history})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM (ANALYZE)"))


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Bulk loads build the two GiST indexes afterwards; the constraint still judges every row."""
    constraint = "no_two_occupancies_of_a_unit_overlap"
    definition = text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    judge = connection.scalar(definition, {"name": constraint})
    index = connection.scalar(text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_occupancy_period'"))
    connection.execute(text(f"ALTER TABLE occupancy DROP CONSTRAINT {constraint}"))
    connection.execute(text("DROP INDEX ix_occupancy_period"))
    yield
    connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    connection.execute(text(str(index)))
    connection.execute(text(f"ALTER TABLE occupancy ADD CONSTRAINT {constraint} {judge}"))
