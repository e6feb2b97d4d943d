"""The tables of a rebuild: a schema beside the live one, and the differences brought over in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.db import raw, schema_head
from app.errors import Problem
from workers.registry import Consumer

STALE = timedelta(hours=24)  # what was computed earlier is not believed: not everything that it shows comes with events

_MARK = raw("SELECT to_regclass(:mark) IS NOT NULL")
_COLUMNS = raw("""
    SELECT a.attname AS name, coalesce(i.indisprimary, false) AS is_key
    FROM pg_attribute a
    LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)
    WHERE a.attrelid = CAST(:table AS regclass) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attnum
""")
# Of this connection, and so of earlier transactions too, for as long as it has not reported them.
_WRITTEN = raw("""
    SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS rows FROM pg_stat_xact_user_tables
    WHERE schemaname = 'public' AND n_tup_ins + n_tup_upd + n_tup_del > 0
""")


class WroteElsewhere(Problem):
    code = "rebuild_wrote_elsewhere"
    status = 500
    title = "A handler wrote to a table that is not among those its consumer says it rebuilds: nothing was kept."


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows of a live table were missing, other, or too many."""

    table: str
    added: int
    changed: int
    removed: int


class RebuildTables:
    """The schema of one consumer's rebuild. Its methods run in the caller's transaction."""

    def __init__(self, consumer: Consumer) -> None:
        self.schema = f"rebuild_{consumer.name}"
        self.live = consumer.rebuilds
        self.switching = consumer.switching
        self.aside = consumer.switching.aside if consumer.switching else ()
        self._written_for = f"{schema_head()} {consumer.version} {' '.join((*self.live, *self.aside))}"

    def begin(self, session: Session, *, now: datetime) -> bool:
        """Make the schema; True when one was there whose work can be gone on with."""
        if self._can_go_on(session, now=now):
            return True
        self.drop(session)
        session.execute(raw(f'CREATE SCHEMA "{self.schema}"'))
        for table in (*self.live, *self.aside):
            session.execute(raw(f'CREATE TABLE "{self.schema}"."{table}" (LIKE public."{table}" INCLUDING ALL)'))
        for statement in (
            "CREATE TABLE place (aggregate_type text, aggregate_id uuid, last_seq bigint NOT NULL,"
            " PRIMARY KEY (aggregate_type, aggregate_id))",
            "CREATE TABLE passed_by (event_id uuid PRIMARY KEY)",
            "CREATE TABLE mark (written_for text NOT NULL, begun_at timestamptz NOT NULL, archived_to bigint NOT NULL)",
        ):
            session.execute(raw(statement.replace("TABLE ", f'TABLE "{self.schema}".', 1)))
        facts = {"written_for": self._written_for, "now": now}
        session.execute(raw(f'INSERT INTO "{self.schema}".mark VALUES (:written_for, :now, 0)'), facts)
        return False

    def _can_go_on(self, session: Session, *, now: datetime) -> bool:
        if not session.execute(_MARK, {"mark": f'"{self.schema}".mark'}).scalar_one():
            return False
        mark = session.execute(raw(f'SELECT written_for, begun_at FROM "{self.schema}".mark')).one_or_none()
        return mark is not None and mark.written_for == self._written_for and mark.begun_at > now - STALE

    def drop(self, session: Session) -> None:
        session.execute(raw(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE'))

    def enter(self, session: Session) -> None:
        """From here to the end of the transaction, the handlers' tables are the rebuilt ones."""
        session.execute(raw(f'SET LOCAL search_path = "{self.schema}", public'))
        session.info["written_before"] = _written(session)

    def check(self, session: Session) -> None:
        """Raises WroteElsewhere when this transaction has changed anything but the rebuilt tables."""
        before = session.info["written_before"]
        if elsewhere := sorted(table for table, rows in _written(session).items() if rows > before.get(table, 0)):
            raise WroteElsewhere(tables=elsewhere)

    def lock_live(self, session: Session) -> None:
        """Whoever writes to the live tables waits; readers do not."""
        tables = ", ".join(f'public."{table}"' for table in (*self.live, *self.aside))
        session.execute(raw(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"))

    def bring_over(self, session: Session, *, now: datetime) -> list[Difference]:
        """Make the live tables what the rebuilt ones are, touching only rows that differ."""
        if self.switching and self.switching.before:
            self.switching.before(session, now=now)
        differences = [self._bring_over(session, table) for table in self.live]
        if self.switching and self.switching.after:
            self.switching.after(session, now=now)
        return differences

    def _bring_over(self, session: Session, table: str) -> Difference:
        columns = session.execute(_COLUMNS, {"table": f'public."{table}"'}).all()
        names = [f'"{column.name}"' for column in columns]
        keys = [f'"{column.name}"' for column in columns if column.is_key]
        changed, first = f'"{self.schema}"."changed_{table}"', keys[0]
        session.execute(
            raw(f"""
            CREATE TABLE {changed} AS SELECT l AS before, r AS after
            FROM public."{table}" l FULL JOIN "{self.schema}"."{table}" r USING ({", ".join(keys)})
            WHERE ROW({_of("l", names)}) IS DISTINCT FROM ROW({_of("r", names)})
        """)
        )
        session.execute(
            raw(f"""
            DELETE FROM public."{table}" l USING {changed} c
            WHERE (c.after).{first} IS NULL AND {" AND ".join(f"l.{key} = (c.before).{key}" for key in keys)}
        """)
        )
        others = [name for name in names if name not in keys] or keys
        session.execute(
            raw(f"""
            INSERT INTO public."{table}" ({", ".join(names)})
            SELECT {_of("(c.after)", names)} FROM {changed} c WHERE (c.after).{first} IS NOT NULL
            ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in others)}
        """)
        )
        counted = session.execute(
            raw(f"""
            SELECT count(*) FILTER (WHERE (before).{first} IS NULL) AS added,
                   count(*) FILTER (WHERE (before).{first} IS NOT NULL AND (after).{first} IS NOT NULL) AS changed,
                   count(*) FILTER (WHERE (after).{first} IS NULL) AS removed FROM {changed}
        """)
        ).one()
        return Difference(table, counted.added, counted.changed, counted.removed)


def _written(session: Session) -> dict[str, int]:
    return {row.relname: row.rows for row in session.execute(_WRITTEN)}


def _of(row: str, names: Iterable[str]) -> str:
    return ", ".join(f"{row}.{name}" for name in names)
