"""The key that archives are signed with: made once per host and kept in PASSERELLE_HOME/archive_key (mode 0600).

Losing it loses no archive: signatures stay valid. Whoever has it could seal a forged one, so public keys are to be kept
elsewhere, and a rotation is recorded with the old key's signature of the new one.
"""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.billing.closings.archive.format import ENDORSEMENT
from app.billing.closings.models import ArchiveKey
from app.config import BadSetting

FILE = "archive_key"
OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, and its public one in hexadecimal."""

    private: Ed25519PrivateKey
    public_key: str

    def sign(self, octets: bytes) -> str:
        return self.private.sign(octets).hex()


def signer(home: Path) -> Signer:
    """The host's key; made when there is none. Raises BadSetting when others can read it or it is none."""
    file = home / FILE
    if not file.exists():
        draft = _draft(home, Ed25519PrivateKey.generate())
        try:
            with suppress(FileExistsError):  # of two who race, the first wins
                os.link(draft, file)
        finally:
            draft.unlink()
    return _read(file)


def registered(session: Session, key: Signer) -> Signer:
    """The same, known to the database from now on."""
    row = {"public_key": key.public_key, "host": socket.gethostname()}
    session.execute(insert(ArchiveKey).values(row).on_conflict_do_nothing())
    return key


def prepare_rotation(session: Session, home: Path) -> tuple[Path, str]:
    """Write a new key beside the host's and record it, signed by the old one: (draft, its public key).

    Commit, then `install` the draft: a process that dies in between leaves a recorded key that signs nothing.
    """
    old = registered(session, signer(home))
    new = _signer(Ed25519PrivateKey.generate())
    session.add(
        ArchiveKey(
            public_key=new.public_key,
            host=socket.gethostname(),
            previous_key=old.public_key,
            endorsement=old.sign((ENDORSEMENT + new.public_key).encode()),
        )
    )
    session.flush()
    return _draft(home, new.private), new.public_key


def install(draft: Path, home: Path) -> None:
    draft.replace(home / FILE)


def lineage(session: Session, public_key: str) -> list[dict[str, str]]:
    """The keys before `public_key`, newest first, each with its signature of the next."""
    found = []
    row = session.scalars(select(ArchiveKey).filter_by(public_key=public_key)).one()
    while row.previous_key and row.endorsement:
        found.append({"public_key": row.previous_key, "endorses": row.public_key, "signature": row.endorsement})
        row = session.scalars(select(ArchiveKey).filter_by(public_key=row.previous_key)).one()
    return found


def _draft(home: Path, key: Ed25519PrivateKey) -> Path:
    """A synced file of mode 0600 in `home`, under a name of its own."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{FILE}-", dir=home)
    with os.fdopen(descriptor, "wb") as draft:
        draft.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        draft.flush()
        os.fsync(draft.fileno())
    return Path(name)


def _read(file: Path) -> Signer:
    if file.stat().st_mode & OTHERS:
        raise BadSetting(setting=str(file), remedy="others can read it: chmod 600, and rotate it if they may have")
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSetting(setting=str(file), remedy="bring it back from a backup, or move it away") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSetting(setting=str(file), remedy="an Ed25519 key is needed: bring it back from a backup")
    return _signer(key)


def _signer(key: Ed25519PrivateKey) -> Signer:
    return Signer(key, key.public_key().public_bytes_raw().hex())
