"""One leader per role in an installation, chosen by the database: whoever holds the role's advisory lock leads.

The lock lives as long as its connection. PostgreSQL gives it up when the process dies, when the network goes silent
(keep-alives) and when the process stands still: a thread of its own speaks on the connection every second, and
`idle_session_timeout` ends it after a few seconds without a word. So another takes over within seconds, and a leader
that is thawed finds its connection dead at its next statement. Until then it may have sent what the next leader sends
too: receipts absorb that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.db import raw
from app.pulse import beat, rest

log = structlog.get_logger(__name__)

ASK_AGAIN_S = 0.5
SPEAK_EVERY_S = 1.0
STANDS_STILL_S = 5
MAX_PAUSE_S = 2.0

_TRY_LOCK = raw("SELECT pg_try_advisory_lock(hashtext('passerelle leader'), hashtext(:role))")
_WATCHED = (
    f"SET idle_session_timeout = '{STANDS_STILL_S}s'",
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
)

Turn = Callable[[Connection], float]


def lead(engine: Engine, role: str, stop: threading.Event, turn: Turn) -> None:
    """Until `stop`: become leader, then call `turn(connection)` again and again, resting as long as it says (seconds).

    The connection is in autocommit. When the database fails, leadership is given up and sought anew; other errors end
    the loop by being raised.
    """
    pause = 0.1
    while not stop.is_set():
        beat()
        try:
            with _candidate(engine) as connection:
                _wait_for_lock(connection, role, stop)
                with _speaking(connection, role):
                    while not stop.is_set():
                        rest(stop, turn(connection))
                        pause = 0.1
        except SQLAlchemyError as error:
            log.warning("leader_lost_database", role=role, error=str(error)[:300])
            rest(stop, pause)
            pause = min(pause * 2, MAX_PAUSE_S)


@contextmanager
def _candidate(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # never back into the pool: the lock would stay with it
        for setting in _WATCHED:
            connection.execute(raw(setting))
        yield connection


def _wait_for_lock(connection: Connection, role: str, stop: threading.Event) -> None:
    while not stop.is_set():
        beat()
        if connection.execute(_TRY_LOCK, {"role": role}).scalar_one():
            log.info("leading", role=role)
            return
        stop.wait(ASK_AGAIN_S)


@contextmanager
def _speaking(connection: Connection, role: str) -> Iterator[None]:
    """However long a turn takes, the connection is not idle while the process runs.

    The driver's connection may be used by two threads: statements wait for each other.
    """
    driver: Any = connection.connection.dbapi_connection
    quiet = threading.Event()

    def speak() -> None:
        while not quiet.wait(SPEAK_EVERY_S):
            try:
                driver.execute("SELECT 1")
            except psycopg.Error as error:  # the leader's own next statement finds out too
                log.warning("leader_lost_database", role=role, error=str(error)[:300])
                return

    thread = threading.Thread(target=speak, name=f"{role} speaks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        quiet.set()
        thread.join(SPEAK_EVERY_S)
