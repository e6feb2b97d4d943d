"""Files by the SHA-256 of their content, in PASSERELLE_HOME/files: on disk before a row names them, never changed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.papers.models import Paper

FOLDER = "files"


def path_of(home: Path, sha256: str) -> Path:
    return home / FOLDER / sha256


def keep(home: Path, octets: bytes) -> str:
    """Write a file and wait until the disk has it, name included; returns its SHA-256. Raises OSError.

    Under another name first, so that a file that is there is whole. Only this account reads it.
    """
    sha256 = hashlib.sha256(octets).hexdigest()
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, folder / sha256)
    except BaseException:
        os.unlink(draft)
        raise
    _sync_folder(folder)
    _sync_folder(home)
    return sha256


def read(home: Path, sha256: str) -> bytes | None:
    """A file's content, or None where it is gone or is no longer what its name says."""
    try:
        octets = path_of(home, sha256).read_bytes()
    except FileNotFoundError:
        return None
    return octets if hashlib.sha256(octets).hexdigest() == sha256 else None


def stored(session: Session, invoice_id: int, *, home: Path) -> Path | None:
    """Where the PDF of a document is; None while it has not been drawn, or where its file is lost or cut short.

    Then `wanting.want` has it drawn, again and the same. Rows that the session may not see are not there.
    """
    row = session.execute(
        select(Paper.sha256, Paper.size).where(Paper.invoice_id == invoice_id, Paper.sha256.is_not(None))
    ).one_or_none()
    if row is None or row.sha256 is None:
        return None
    path = path_of(home, row.sha256)
    try:
        return path if path.stat().st_size == row.size else None
    except FileNotFoundError:
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
