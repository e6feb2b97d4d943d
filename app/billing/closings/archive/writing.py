"""Writing an archive: streamed, so that a month of any size takes little memory, and there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from app.billing.closings import content
from app.billing.closings.archive.format import ALGORITHM, MANIFEST, SIGNATURE
from app.billing.closings.archive.keys import Signer
from app.events.archive import sync_folder

CHUNK = 1 << 20
Lines = Iterable[str]


@dataclass(frozen=True, slots=True)
class Written:
    """A member as it went into the file."""

    name: str
    sha256: str
    octets: int
    lines: int


def write(
    path: Path, members: Mapping[str, Lines], manifest: Callable[[], dict[str, Any]], *, key: Signer, now: datetime
) -> tuple[int, str]:
    """Write `members`, then what `manifest` says once they were read, then the signature: (octets, SHA-256).

    The file is on disk on return. Raises OSError when that cannot be done, and leaves nothing half-written then.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with open(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file:
            _fill(file, members, manifest, key, now)
            file.flush()
            os.fsync(file.fileno())
            size, sha256 = file.tell(), _sha256(file)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return size, sha256


def _fill(
    file: IO[bytes], members: Mapping[str, Lines], manifest: Callable[[], dict[str, Any]], key: Signer, now: datetime
) -> None:
    with ZipFile(file, "w") as archive:
        written = [_member(archive, name, lines, now) for name, lines in members.items()]
        text = content.canonical(manifest() | {"members": [asdict(member) for member in written]})
        signature = {"algorithm": ALGORITHM, "public_key": key.public_key, "signature": key.sign(text.encode())}
        _member(archive, MANIFEST, [text], now, end="")
        _member(archive, SIGNATURE, [content.canonical(signature)], now, end="")
    file.seek(0, os.SEEK_END)


def _member(archive: ZipFile, name: str, lines: Lines, now: datetime, *, end: str = "\n") -> Written:
    info = ZipInfo(name, date_time=now.timetuple()[:6])
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    seen, size, count = hashlib.sha256(), 0, 0
    with archive.open(info, "w", force_zip64=True) as member:
        for line in lines:
            octets = (line + end).encode()
            member.write(octets)
            seen.update(octets)
            size, count = size + len(octets), count + 1
    return Written(name, seen.hexdigest(), size, count)


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    found = hashlib.sha256()
    while octets := file.read(CHUNK):
        found.update(octets)
    return found.hexdigest()
