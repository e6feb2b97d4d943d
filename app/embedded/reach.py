"""Which system account the embedded server runs as, and how that account reaches its folders.

PostgreSQL refuses to run as root. Started by an ordinary user, the server runs as that user and nothing here is
needed. Started by root, it runs as the owner of an existing data folder, else as the account `passerelle`, made on
first use without a shell or a home. Where a folder on the way (a 0700 `/root`, a `mktemp -d`) keeps that account out,
it alone is given *search* on exactly that folder by an access control list entry: others gain nothing, and nobody
gains reading. A file system without such lists gets `o+x` instead. Copying the server's 73 MB elsewhere would solve
half of it only, since the data folder lies behind the same doors.
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import struct
import subprocess
from pathlib import Path

import structlog

from app.config import BadSetting

ACCOUNT = "passerelle"
ACL = "system.posix_acl_access"
ACL_VERSION = struct.pack("<I", 2)
OWNER, NAMED_USER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NOBODY_IN_PARTICULAR = 0xFFFFFFFF
SEARCH = 0o1
NOT_SUPPORTED = {errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}

log = structlog.get_logger(__name__)


class NoAccount(BadSetting):
    code = "no_system_account"
    title = "PostgreSQL does not run as root, and no system account could be made for it."


def server_account(data: Path) -> pwd.struct_passwd | None:
    """The account to run the server of `data` as; None means the present user's own.

    Raises BadSetting when the folder belongs to somebody else, NoAccount when root cannot make the account.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise BadSetting(
                setting="PASSERELLE_HOME",
                value=str(data),
                remedy=f"its database belongs to user {owner}: run as that user or as root, or choose another folder",
            )
        return None
    return pwd.getpwuid(owner) if owner else _own_account()


def _own_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    shell = shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin:/bin") or "/bin/false"
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", shell, ACCOUNT]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()
        return pwd.getpwnam(ACCOUNT)  # also when somebody else made it meanwhile
    except (KeyError, OSError) as error:
        said = str(error) if isinstance(error, OSError) else said
        raise NoAccount(
            account=ACCOUNT, said=said, remedy="run as an ordinary user, make that account, or set DATABASE_URL"
        ) from error


def can_use(path: Path, account: pwd.struct_passwd) -> bool:
    """Whether `account` reaches `path` and may read it (enter it, for a folder). Asked of the kernel, not guessed."""
    test = 'test -x "$0"' if path.is_dir() else 'test -r "$0"'
    ran = subprocess.run(
        ["/bin/sh", "-c", test, str(path)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return ran.returncode == 0


def open_the_way(path: Path, account: pwd.struct_passwd) -> None:
    """Let `account` walk to the folder `path`, changing only the folders that stop it.

    Raises BadSetting naming the first folder that stays closed.
    """
    for folder in [*reversed(path.parents), path]:
        if not can_use(folder, account):
            _let_in(folder, account)
            log.warning("folder opened", folder=str(folder), account=account.pw_name, right="search")


def open_tree(tree: Path, account: pwd.struct_passwd) -> None:
    """Make an installed tree readable where a strict umask (077) hid it; it holds a public package and no secrets."""
    paths = [tree, *(path for path in tree.rglob("*") if not path.is_symlink())]
    modes = {path: path.stat().st_mode for path in paths}
    hidden = {path: mode for path, mode in modes.items() if not mode & 0o004 or (mode & 0o100 and not mode & 0o001)}
    for path, mode in hidden.items():
        path.chmod(stat.S_IMODE(mode) | 0o044 | (0o011 if mode & 0o100 else 0))
    if hidden:
        log.warning("folder opened", folder=str(tree), account=account.pw_name, right="read")


def _let_in(folder: Path, account: pwd.struct_passwd) -> None:
    try:
        try:
            os.setxattr(folder, ACL, _with_search(_acl(folder), account.pw_uid))
        except (OSError, AttributeError) as error:  # AttributeError: a system without extended attributes
            if isinstance(error, OSError) and error.errno not in NOT_SUPPORTED:
                raise
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    except OSError as error:
        raise _closed(folder, account) from error
    if not can_use(folder, account):
        raise _closed(folder, account)


def _closed(folder: Path, account: pwd.struct_passwd) -> BadSetting:
    return BadSetting(
        setting="PASSERELLE_HOME",
        value=str(folder),
        remedy=f"started as root, the database runs as {account.pw_name!r}, which cannot enter this folder: "
        "allow it, choose a folder such as /var/lib/passerelle, or run as an ordinary user",
    )


def _acl(folder: Path) -> list[tuple[int, int, int]]:
    """The entries (tag, permissions, user or group) of `folder`; made from its mode where it has no list yet."""
    try:
        raw = os.getxattr(folder, ACL)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = folder.stat().st_mode
        return [(tag, mode >> shift & 7, NOBODY_IN_PARTICULAR) for tag, shift in ((OWNER, 6), (GROUP, 3), (OTHER, 0))]
    return list(struct.iter_unpack("<HHI", raw[len(ACL_VERSION) :]))


def _with_search(entries: list[tuple[int, int, int]], uid: int) -> bytes:
    """`entries` with search for `uid`, as the kernel wants them: sorted, and with a mask that lets it through."""
    rest = [entry for entry in entries if entry[0] != MASK and (entry[0], entry[2]) != (NAMED_USER, uid)]
    mask = next((allowed for tag, allowed, _ in entries if tag == MASK), None)
    if mask is None:
        mask = next(allowed for tag, allowed, _ in entries if tag == GROUP)
    held = next((allowed for tag, allowed, who in entries if (tag, who) == (NAMED_USER, uid)), 0)
    rest += [(NAMED_USER, held & mask | SEARCH, uid), (MASK, mask | SEARCH, NOBODY_IN_PARTICULAR)]
    return ACL_VERSION + b"".join(struct.pack("<HHI", *entry) for entry in sorted(rest, key=lambda e: (e[0], e[2])))
