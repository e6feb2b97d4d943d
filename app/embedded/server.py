"""A real PostgreSQL 18 out of a wheel, for one machine: no system package, no root set-up, no TCP port.

The wheel brings the programs only; it is never imported (it starts servers from `atexit` and warns about folders).
Layout of PASSERELLE_HOME: `postgres/` the data, `socket/` the Unix socket, `logs/postgres.log`, `postgres.lock`.
Nobody needs a password, because only the account of the server (and root) can enter the socket's 0700 folder.
Whoever starts the server holds `postgres.lock` while it lives: the kernel frees it with the process, so a server found
running without a holder is an orphan on its way out, which the next start ends and replaces.
For more than a small machine, set DATABASE_URL instead of tuning this one.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psutil
import structlog

from app.child import ChildSpec, ended, send_all, spawn
from app.config import Config
from app.embedded import reach
from app.embedded.cluster import (
    SUPERUSER,
    AlreadyRunning,
    ServerFailed,
    check_version,
    initialise,
    installation,
    make_home,
    make_private,
    program_trees,
    socket_folder,
    take_lock,
)
from app.embedded.postmaster import CLEAN_ENV, PidFile, command_line

DATABASE = "passerelle"
LOG_KEPT = 5_000_000  # bytes of postgres.log before it becomes postgres.log.1

__all__ = ["AlreadyRunning", "EmbeddedPostgres", "ServerFailed", "ensure_database", "running_url", "serving"]

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """The server of one data folder. `start` and `stop` it, or hand `spec()` to a supervisor after `claim`.

    Start it from the main thread: it ends (a fast, clean shutdown) when the thread that started it does.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.expanduser().resolve()
        self.durable = durable
        self.data = self.home / "postgres"
        self.log_file = self.home / "logs" / "postgres.log"
        self.installed = installation()
        self._lock = -1
        self._log_from = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._account: pwd.struct_passwd | None = None
        self._socket_folder = self.home / "socket"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def claim(self) -> None:
        """Take the data folder for this process, ending an orphan that still serves it.

        Raises AlreadyRunning when another process has it, BadSetting when it cannot be used.
        """
        if self._lock >= 0:
            return
        make_home(self.home)
        self._lock = take_lock(self.home / "postgres.lock")
        self._end_orphan()

    def release(self) -> None:
        """Give the data folder back."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if self._socket_folder.parent != self.home:
            with suppress(OSError):
                self._socket_folder.rmdir()

    def ensure_initialised(self) -> None:
        """Make the data folder on first use: complete or not at all, whenever it is interrupted.

        Raises BadSetting when the folder is out of the server's reach or of another major version, ServerFailed when
        initdb fails.
        """
        self.claim()
        self._account = reach.server_account(self.data)
        self._make_reachable()
        if not (self.data / "PG_VERSION").exists():
            log.info("database being made", folder=str(self.data))
            initialise(self.data, self.installed, self._account, log_file=self.log_file, durable=self.durable)
        check_version(self.data)
        self._socket_folder = socket_folder(self.home)
        make_private(self._socket_folder, self._account)

    def spec(self) -> ChildSpec:
        """The server as a supervised child. SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one."""
        program = self.installed / "bin" / "postgres"
        return ChildSpec(
            name="database",
            argv=command_line(program, self.data, self._socket_folder, durable=self.durable),
            env=CLEAN_ENV,
            ready=self.is_ready,
            ready_seconds=120.0,  # replaying the log after a power cut takes its time
            before=self._before_start,
            try_again=self._held_by_sessions,
            stop_signal=signal.SIGINT,
            stop_seconds=30.0,
            force_signal=signal.SIGQUIT,
            death_signal=signal.SIGINT,
            account=self._account,
            output=self.log_file,
            cwd=Path("/"),
        )

    def start(self, *, within: float = 120.0) -> None:
        """Start the server and wait until it answers; the database `passerelle` then exists.

        Raises AlreadyRunning, BadSetting, or ServerFailed with the end of the server's log.
        """
        deadline = time.monotonic() + within
        try:
            self.ensure_initialised()
            spec = self.spec()
            self._process = spawn(spec)
            while not self.is_ready():
                if ended(self._process) and self._held_by_sessions():
                    self._process = spawn(spec)
                if ended(self._process) or time.monotonic() > deadline:
                    raise ServerFailed(exit_code=self._process.returncode, log=self._log_end())
                time.sleep(0.02)
            ensure_database(self.url())
        except BaseException:
            self.stop()
            raise

    def stop(self, *, within: float = 30.0) -> None:
        """End the server: a fast shutdown for `within` seconds, then an immediate one, then by force."""
        process, self._process = self._process, None
        if process is not None:
            for number, seconds in ((signal.SIGINT, within), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if ended(process):
                    break
                send_all(process, number)
                _wait(partial(ended, process), seconds)
        self.release()

    def poll(self) -> int | None:
        """The exit status of the server this object started; None while it runs (or was never started)."""
        if self._process is None or not ended(self._process):
            return None
        return self._process.returncode

    def is_ready(self) -> bool:
        """Whether the server says, in its pid file, that it takes connections. Costs a file read."""
        return PidFile.is_ready(self.data)

    def is_answering(self) -> bool:
        """Whether a connection would be accepted now. Costs one."""
        from psycopg.pq import PGconn, Ping  # in few processes only: the supervisor stays small without it

        return PGconn.ping(self.url().encode()) == Ping.OK

    def url(self, database: str = DATABASE) -> str:
        """Where the server answers, for SQLAlchemy, psycopg and psql alike."""
        return _url(self._socket_folder, database)

    def _before_start(self) -> None:
        PidFile.forget_stranger(self.data)
        self._log_from = self.log_file.stat().st_size if self.log_file.exists() else 0
        if self._log_from > LOG_KEPT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
            self._log_from = 0

    def _end_orphan(self) -> None:
        """End a server whose starter is gone. It is asked for by its file: a zombie nobody reaps has ended too."""
        for number, seconds in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
            orphan = PidFile.living_server(self.data)
            if orphan is None:
                return
            log.warning("orphaned database ends", pid=orphan.pid, home=str(self.home), signal=number.name)
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(number)
            _wait(lambda: PidFile.living_server(self.data) is None, seconds)

    def _held_by_sessions(self) -> bool:
        """Whether the last start was refused because a killed server's sessions are not gone yet: ask again."""
        return "is still in use" in self._log_end()

    def _log_end(self) -> str:
        """What the server wrote since it was last started, at most 2,000 bytes of it."""
        if not self.log_file.exists():
            return ""
        with self.log_file.open("rb") as file:
            file.seek(max(self._log_from, self.log_file.stat().st_size - 2000))
            return file.read().decode(errors="replace").strip()

    def _make_reachable(self) -> None:
        if self._account is None:
            return
        reach.open_the_way(self.home, self._account)
        reach.open_the_way(self.installed, self._account)
        for tree in program_trees(self.installed):
            reach.open_tree(tree, self._account)


def running_url(home: Path, database: str = DATABASE) -> str | None:
    """The address of the server that runs for `home` right now, whoever started it; None when none takes connections.

    The server's own pid file is the record: its fifth line names the socket's folder.
    """
    data = home.expanduser().resolve() / "postgres"
    if not PidFile.is_ready(data):
        return None
    file = PidFile.read(data)
    return _url(file.socket_folder, database) if file else None


@contextmanager
def serving(config: Config) -> Iterator[str]:
    """The database of `config` for one command: DATABASE_URL, else the running server, else one started meanwhile."""
    if url := config.database_url or running_url(config.home):
        yield url
        return
    with EmbeddedPostgres(config.home) as server:
        yield server.url()


def ensure_database(url: str) -> None:
    """Create the database `url` names when the server does not have it."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.sql import SQL, Identifier

    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(socket_folder), safe='')}"


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
