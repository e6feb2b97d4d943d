"""The database: engine, sessions, transactions, raw statements, migrations. PostgreSQL 15 or newer only."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg import Error as PsycopgError
from psycopg.rows import namedtuple_row
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Engine,
    Identity,
    MetaData,
    TextClause,
    Uuid,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg as psycopg_dialect
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    MultipleResultsFound,
    NoResultFound,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, sessionmaker
from sqlalchemy.pool import QueuePool

from app import tenancy
from app.ids import new_id

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
TRY_AGAIN = {"40P01", "40001"}  # deadlock detected, serialization failure: one retry
AWAY = {"08", "57P", "533"}  # classes: connection exception, shutting down or starting up, too many connections
STOOD_STILL = {"25P03", "25P04"}  # a transaction that idled or lasted too long was ended, its connection with it

# A server whose network is gone is noticed in about ten seconds, asked or not.
SILENT_NETWORK = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}

# Named constraints, so that migrations can find them again.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
PublicId = Annotated[UUID, mapped_column(Uuid, unique=True, default=new_id)]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: DateTime(timezone=True), int: BigInteger, UUID: Uuid}


class TenantSession(Session):
    """A session whose every statement is limited to the scope in `session.info["scope"]`."""


tenancy.guard(TenantSession)


def raw(sql: str, **types: Any) -> TextClause:
    """A statement outside the mapped classes. Its module must be on the list in tests/test_tenancy.py."""
    statement = text(sql)
    if types:
        statement = statement.columns(**types)  # type: ignore[assignment]
    return statement.execution_options(raw=True)


class Rows(Cursor[Any]):
    """The answer to a `Statement`: rows with attributes."""

    def one_or_none(self) -> Any:
        """The only row, or None. Raises MultipleResultsFound."""
        if self.rowcount > 1:
            raise MultipleResultsFound("one row was expected")
        return self.fetchone()

    def one(self) -> Any:
        """The only row. Raises NoResultFound, MultipleResultsFound."""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound("a row was expected")
        return row


class Statement:
    """A raw statement on the path of every request, handed to the driver as it stands; its module must be on the list
    in tests/test_tenancy.py too.

    The way through the ORM costs more than PostgreSQL's own work for statements of this size. Parameters are written
    `:name`. It runs in the session's transaction; errors come as SQLAlchemy's, and a lost connection leaves the pool.
    """

    def __init__(self, sql: str) -> None:
        self.sql = re.sub(r"(?<!:):([a-z_]+)\b", r"%(\1)s", " ".join(sql.replace("%", "%%").split()))
        self.fixed: dict[str, Any] = {}
        self.for_the_system = False

    @classmethod
    def of(cls, query: Any) -> Statement:
        """A select on mapped classes, for the system alone: no scope would limit what it finds."""
        compiled = query.compile(dialect=psycopg_dialect())
        statement = cls("")
        statement.sql = str(compiled)
        statement.for_the_system = True
        statement.fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return statement

    def run(self, session: Session, parameters: dict[str, Any] | list[dict[str, Any]]) -> Rows:
        """Execute it with one set of parameters, or once for each of several."""
        if self.for_the_system and not tenancy.scope_of(session).sees_all:
            raise tenancy.TenancyBreach("this statement is not limited to any scope")
        driver = session.info.get("driver") or _driver_of(session)
        rows = Rows(driver, row_factory=namedtuple_row)
        try:
            if isinstance(parameters, dict):
                rows.execute(self.sql, {**self.fixed, **parameters} if self.fixed else parameters)
            else:
                rows.executemany(self.sql, parameters)
        except PsycopgError as error:
            if driver.closed:
                _abandon(session, error)
            raise _as_sqlalchemy(self.sql, error, lost=driver.closed) from error
        return rows


def _abandon(session: Session, error: BaseException) -> None:
    """The server is gone, and with it every connection in the pool: the next request must not meet one of them."""
    connection = session.connection()
    connection.invalidate(error)
    connection.engine.dispose()


def _driver_of(session: Session) -> Any:
    """The driver's connection of the running transaction, remembered until it ends."""
    driver = session.info["driver"] = session.connection().connection.driver_connection
    return driver


def _forget_driver(session: Session, _ended: Any) -> None:
    session.info.pop("driver", None)


event.listen(TenantSession, "after_transaction_end", _forget_driver)


def _as_sqlalchemy(sql: str, error: PsycopgError, *, lost: bool) -> BaseException:
    """The error as a statement through SQLAlchemy would have raised it; parameters stay out of messages and logs."""
    return DBAPIError.instance(sql, None, error, PsycopgError, hide_parameters=True, connection_invalidated=lost)


def make_engine(
    url: str,
    *,
    pool_size: int = 5,
    application_name: str = "passerelle",
    durable: bool = True,
    idle_transaction_s: int = 60,
) -> Engine:
    """An engine in READ COMMITTED; psycopg prepares what it sees five times, and times out rather than hangs.

    Without `durable` a commit does not wait for the disk: for what can be done again from what is on it.
    After `idle_transaction_s` the server ends a transaction in which nothing is asked: it holds locks, and its client
    may be frozen.
    """
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_use_lifo=True,
        hide_parameters=True,  # they hold e-mail addresses and keys, and errors are logged
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            **SILENT_NETWORK,
            "options": "-c timezone=UTC -c jit=off -c lock_timeout=5s -c statement_timeout=30s"
            f" -c idle_in_transaction_session_timeout={idle_transaction_s}s"
            + ("" if durable else " -c synchronous_commit=off"),
        },
    )
    event.listen(engine, "connect", _one_integer_type)
    event.listen(engine, "checkout", _refuse_stale)
    return engine


def _refuse_stale(driver: Any, _record: Any, _proxy: Any) -> None:
    """A connection on which the server has spoken unasked is one that it has ended: all in the pool are as old.

    Costs two microseconds where a ping would cost a round trip. Raises InvalidatePoolError: the pool connects anew.
    """
    waiting = select.poll()
    waiting.register(driver.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise InvalidatePoolError("the server ended this connection")


def _one_integer_type(connection: Any, _record: Any) -> None:
    """Send every int as bigint: psycopg's choice by size would make another prepared statement of each combination."""
    connection.adapters.register_dumper(int, Int8Dumper)


def sessions(engine: Engine) -> sessionmaker[TenantSession]:
    return sessionmaker(engine, class_=TenantSession, expire_on_commit=False)


@contextmanager
def transaction(make_session: sessionmaker[TenantSession], scope: tenancy.Scope) -> Iterator[TenantSession]:
    """One session, one transaction: commits at the end, rolls back on any exception."""
    with make_session() as session:
        session.info["scope"] = scope
        with session.begin():
            yield session


def sqlstate(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def connection_lost(error: BaseException) -> bool:
    """Whether PostgreSQL did not answer, went away or turned us away, rather than refused a statement."""
    if isinstance(error, PoolExhausted):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate(error)
    if state in STOOD_STILL:
        return True
    if error.connection_invalidated or state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state[:3] in AWAY or state[:2] in AWAY


def retrying(work: Callable[[], Result]) -> Result:
    """Run a whole transaction; once more when PostgreSQL broke a deadlock or a serialization cycle by ending it."""
    try:
        return work()
    except DBAPIError as error:
        if sqlstate(error) not in TRY_AGAIN:
            raise
        log.warning("transaction_again", sqlstate=sqlstate(error))
        time.sleep(0.01)
        return work()


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to `revision` with alembic."""
    from alembic import command

    config = _alembic_config()
    config.attributes["url"] = url
    command.upgrade(config, revision)


_SCHEMA = raw("SELECT version_num FROM alembic_version")


def schema_fault(connection: Connection) -> str | None:
    """What is wrong with the schema's version; None when it is the newest that this code knows."""
    try:
        found = connection.execute(_SCHEMA).scalars().all()
    except ProgrammingError:  # no such table
        found = []
    expected = schema_head()
    return None if found == [expected] else f"the schema is at {', '.join(found) or 'nothing'}, not at {expected}"


@cache
def schema_head() -> str:
    """The newest revision of the schema that this code knows."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_alembic_config()).get_current_head() or ""


def _alembic_config() -> Any:
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config
