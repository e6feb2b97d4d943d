"""Databases for tests, each lent to one test at a time, and emptied instead of dropped when it comes back.

Copying and dropping one costs a hundred milliseconds and more, nearly all of it files; looking whether anything but
rows has changed, and deleting those, costs about ten. A database that comes back is as clean as a new copy, or there is
no telling, and then it is replaced by one under the same name:

- whoever is still connected is ended, and with them their transactions and locks;
- every catalogue of the schema is as it was: whatever a statement changes there leaves a row that is younger than the
  copy, or one row less. So a table, column, constraint, trigger, function, grant, comment, large object or statistic
  that a test made, changed or dropped is noticed, and so are settings of the database;
- the rows that the migrations put in are the same;
- all others are deleted, without triggers or foreign keys in the way, and every sequence begins anew;
- its files have not grown by more than GROWTH.

Who is no superuser there may not look everywhere: then every test has a copy.

What remains different: deleted rows take room until then, so a test of plans, sizes or speed asks for a copy of its own
with `@pytest.mark.fresh_database`.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any, Self

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import make_url

GROWTH = 4_000_000  # octets
LEAVE_S = 10.0  # how long a backend that was ended may take to leave
KEEPER = "passerelle test keeper"
WITHOUT_TRIGGERS = "-c session_replication_role=replica"  # nor foreign keys

_CATALOGUES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared ORDER BY oid
"""
_TABLES = """
    SELECT n.nspname, c.relname, pg_total_relation_size(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^(pg_|information_schema$)' AND pg_relation_size(c.oid) > 0
    ORDER BY n.nspname, c.relname
"""
_SEQUENCES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE c.relkind = 'S' ORDER BY n.nspname, c.relname
"""
# Of what all databases share, and of what the planner was told: numbers of a table that is never looked at only grow.
_AROUND = """
    SELECT d.datname::text, row(d.datdba, d.datistemplate, d.datallowconn, d.datconnlimit, d.datacl)::text,
           (SELECT array_agg(s::text ORDER BY s::text) FROM pg_db_role_setting s WHERE setdatabase = d.oid),
           (SELECT array_agg(s::text ORDER BY s::text) FROM pg_shdescription s WHERE objoid = d.oid),
           (SELECT array_agg(s::text ORDER BY s::text) FROM pg_shseclabel s WHERE objoid = d.oid),
           (SELECT count(*) FROM pg_shdepend WHERE dbid = d.oid),
           (SELECT count(*) FROM pg_subscription WHERE subdbid = d.oid),
           (SELECT count(*) FROM pg_replication_slots WHERE database = d.datname),
           (SELECT count(*) FROM pg_prepared_xacts WHERE database = d.datname),
           (SELECT row(sum(relpages), sum(reltuples), sum(relallvisible))::text FROM pg_class WHERE oid >= 16384)
    FROM pg_database d WHERE d.datname = current_database()
"""
_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_END_PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = %s"


class NotClean(Exception):
    """A database is not, or may not be, as a new copy is."""


class Databases:
    """Copies of one template on one server, for one process. `server` is the address of its maintenance database."""

    _numbers = itertools.count(1)  # of all in this process: no two make databases of one name

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._idle: list[Reusable] = []
        self._lent: dict[str, Reusable] = {}
        self._admin = psycopg.connect(server, autocommit=True)
        self._may_clean = self._admin.info.parameter_status("is_superuser") == "on"
        self.copied = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for database in [*self._idle, *self._lent.values()]:
            database.close()
            self._drop(database.name)
        self._admin.close()

    def lend(self) -> str:
        """The address of a database that nobody else has."""
        if not self._may_clean:
            return self.lend_fresh()
        database = self._idle.pop() if self._idle else self._made(self._new_name())
        self._lent[database.address] = database
        return database.address

    def take_back(self, address: str) -> None:
        """Have it cleaned for the next, or replaced; one that was lent fresh is dropped."""
        if address not in self._lent:
            self._drop(str(make_url(address).database))
            return
        database = self._lent.pop(address)
        try:
            database.clean()
        except (NotClean, psycopg.Error):
            database.close()
            self._drop(database.name)
            database = self._made(database.name)
        self._idle.append(database)

    def lend_fresh(self) -> str:
        """The address of a copy that no other test has had or will have."""
        return self._address(self._copy(self._new_name()))

    def _made(self, name: str) -> Reusable:
        return Reusable(name, self._address(self._copy(name)))

    def _copy(self, name: str) -> str:
        self.copied += 1
        # One of a process that was killed, whose number came up again, is of nobody.
        self._admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
        how = SQL(copied_by(self._server))
        command = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}")
        self._admin.execute(command.format(Identifier(name), Identifier(self._template), how))
        return name

    def _drop(self, name: str) -> None:
        for (gid,) in self._admin.execute(_END_PREPARED, [name]).fetchall():  # nothing else ends a prepared transaction
            self._end_prepared(name, gid)
        self._admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def _end_prepared(self, name: str, gid: str) -> None:
        with psycopg.connect(self._address(name), autocommit=True) as connection:
            connection.execute(SQL("ROLLBACK PREPARED {}").format(Literal(gid)))

    def _new_name(self) -> str:
        return f"passerelle_test_{os.getpid()}_{next(self._numbers)}"

    def _address(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)


@cache
def copied_by(server: str) -> str:
    """Copying files is five times as quick as copying pages through the log, where no disk is waited for."""
    with psycopg.connect(server) as connection:
        row = connection.execute("SHOW fsync").fetchone()
    return "WAL_LOG" if row == ("on",) else "FILE_COPY"


class Reusable:
    """A database, and a connection to it that stays open: one that knows the catalogues asks them in half the time."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._keeper = psycopg.connect(address, autocommit=True, application_name=KEEPER, options=WITHOUT_TRIGGERS)
        self._keeper.prepare_threshold = 1
        self._catalogues = _one_row_each(row[0] for row in self._rows(_CATALOGUES))
        self._sequences = [(schema, name) for schema, name in self._rows(_SEQUENCES)]
        self._kept = {(schema, name): size for schema, name, size in self._rows(_TABLES)}
        first = SQL("SELECT t::text FROM {}.{} t ORDER BY 1")
        self._first_rows = [first.format(*_names(table)).as_string(None) for table in self._kept]
        self._counters = _counters(self._sequences)
        self._born = self._fingerprint()
        self._began = self._rows(self._counters)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._keeper.close()

    def clean(self) -> None:
        """Make it as a new copy is. Raises NotClean, psycopg.Error: then it must not be used again."""
        self._end_others()
        if self._fingerprint() != self._born:
            raise NotClean("its schema, its settings, its first rows or its statistics have changed")
        sizes = {(schema, name): size for schema, name, size in self._rows(_TABLES)}
        if sum(sizes.values()) - sum(self._kept.values()) > GROWTH:
            raise NotClean("it has grown")
        used = [now[0] for now, first in zip(self._rows(self._counters), self._began, strict=True) if now != first]
        self._empty([table for table in sizes if table not in self._kept], used)

    def _end_others(self) -> None:
        deadline = time.monotonic() + LEAVE_S
        while self._rows(_END_OTHERS):
            if time.monotonic() > deadline:
                raise NotClean("somebody does not leave")
            time.sleep(0.001)

    def _fingerprint(self) -> list[Any]:
        return [self._rows(query) for query in (self._catalogues, _AROUND, *self._first_rows)]

    def _empty(self, tables: Iterable[tuple[str, str]], used: Iterable[int]) -> None:
        """One message of several statements is one transaction."""
        deletes = [SQL("DELETE FROM {}.{}").format(*_names(table)) for table in tables]
        restarts = [self._restart(number) for number in used]
        everything = SQL("; ").join([*deletes, *restarts, SQL("SELECT pg_stat_reset()")])
        self._keeper.execute(everything.as_string(None))

    def _restart(self, number: int) -> Composable:
        _, value, is_called = self._began[number]
        name = SQL("{}.{}").format(*_names(self._sequences[number])).as_string(None)
        return SQL("SELECT setval({}, {}, {})").format(Literal(name), Literal(value), Literal(is_called))

    def _rows(self, query: Any) -> list[Any]:
        return self._keeper.execute(query).fetchall()


def _names(table: tuple[str, str]) -> list[Identifier]:
    return [Identifier(part) for part in table]


def _one_row_each(catalogues: Iterable[str]) -> str:
    """How many rows, and how young the youngest is: counted from a fixed point, since age counts from now."""
    one = "SELECT {}, count(*), nullif(min(age(xmin)), 2147483647) - age('3'::xid) FROM {}"
    return SQL(" UNION ALL ").join(SQL(one).format(Literal(name), SQL(name)) for name in catalogues).as_string(None)


def _counters(sequences: Iterable[tuple[str, str]]) -> str:
    one = "SELECT {}, last_value, is_called FROM {}.{}"
    found = [SQL(one).format(Literal(n), *_names(each)) for n, each in enumerate(sequences)]
    return SQL(" UNION ALL ").join(found).as_string(None) if found else "SELECT 1 WHERE false"
