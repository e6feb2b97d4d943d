"""One leader per role in an installation, chosen by the database: whoever holds the role's advisory lock leads.

The lock lives as long as its connection. PostgreSQL gives it up when the process dies, when the network goes silent
(keep-alives) and when the leader stands still (`idle_session_timeout`), so another takes over within seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.db import raw

log = structlog.get_logger(__name__)

ASK_AGAIN_S = 0.5
STANDS_STILL_S = 30  # longer than any single turn: a publisher's confirmations may take 10 s
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
        try:
            with _candidate(engine) as connection:
                _wait_for_lock(connection, role, stop)
                while not stop.is_set():
                    stop.wait(turn(connection))
                    pause = 0.1
        except SQLAlchemyError as error:
            log.warning("leader_lost_database", role=role, error=str(error)[:300])
            stop.wait(pause)
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
        if connection.execute(_TRY_LOCK, {"role": role}).scalar_one():
            log.info("leading", role=role)
            return
        stop.wait(ASK_AGAIN_S)
