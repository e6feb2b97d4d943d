"""The server process: the settings it starts with; what its file `postmaster.pid` says, and whether that is true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

PID_FILE = "postmaster.pid"
NEVER_A_PROCESS = 4_194_304  # one above the largest number Linux gives
CLEAN_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}  # no PG*, no secrets of ours

SMALL_MACHINE = {
    "max_connections": "60",
    "shared_buffers": "64MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",  # solid-state disks
    "jit": "off",
    "io_method": "sync",  # else three more processes
    "max_logical_replication_workers": "0",  # one process fewer
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log may name what failed, never the values that were sent (addresses, names): no statement, no detail.
    "log_min_messages": "error",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%a ",
}
# For tests, which throw their data away: a power cut may lose it all.
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def command_line(program: Path, data: Path, socket_folder: Path, *, durable: bool) -> list[str]:
    """The server's argv: no TCP, and a socket for the owner of its folder only."""
    settings = SMALL_MACHINE | ({} if durable else FORGETFUL)
    settings |= {"listen_addresses": "", "unix_socket_directories": str(socket_folder)}
    settings |= {"unix_socket_permissions": "0700", "port": "5432"}
    return [str(program), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]


@dataclass(frozen=True)
class PidFile:
    """The lines of the file that matter here: process, socket folder, status (`ready`, `starting`, `stopping` …)."""

    pid: int
    socket_folder: Path
    status: str

    @classmethod
    def read(cls, data: Path) -> Self | None:
        """The file of `data`; None when there is none, or it is being written, or it is not ours to read."""
        try:
            lines = (data / PID_FILE).read_text().splitlines()
            return cls(pid=int(lines[0]), socket_folder=Path(lines[4].strip()), status=lines[7].strip())
        except (OSError, ValueError, IndexError):
            return None

    @classmethod
    def living_server(cls, data: Path) -> psutil.Process | None:
        """The server that really runs on `data`: after a kill -9 the file stays, and its number may be another's."""
        pid = _pid(data)
        return _server(pid, data) if pid is not None else None

    @classmethod
    def is_ready(cls, data: Path) -> bool:
        file = cls.read(data)
        return file is not None and file.status == "ready" and _server(file.pid, data) is not None

    @classmethod
    def forget_stranger(cls, data: Path) -> None:
        """Unblock a start when the number in a left-over file now belongs to another program (containers reuse them).

        PostgreSQL would take that program for a running server. Only the number is replaced: from the other lines the
        server learns whether sessions of the killed one still use its memory.
        """
        pid = _pid(data)
        if pid is None or not psutil.pid_exists(pid) or _server(pid, data) is not None:
            return
        lines = (data / PID_FILE).read_text().splitlines(keepends=True)
        (data / PID_FILE).write_text("".join([f"{NEVER_A_PROCESS}\n", *lines[1:]]))


def _pid(data: Path) -> int | None:
    """The first line alone: it is there from the very start, the others come as the server gets on."""
    try:
        return int((data / PID_FILE).read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _server(pid: int, data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process if Path(process.cwd()) == data else None
    except (psutil.Error, OSError):
        return None
