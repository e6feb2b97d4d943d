"""Archives taken apart and put together again, by who has the key and by who has not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.billing.closings.archive import format

Members = dict[str, bytes]


def members(path: Path) -> Members:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, change: Callable[[Members], None]) -> Path:
    found = members(path)
    change(found)
    with ZipFile(path, "w") as archive:
        for name, octets in found.items():
            archive.writestr(name, octets)
    return path


def resealed(path: Path, change: Callable[[Members], None], key: Ed25519PrivateKey | None = None) -> Path:
    """Changed by somebody who makes the manifest fit again, and signs it with a key of their own."""

    def change_and_seal(found: Members) -> None:
        change(found)
        manifest = json.loads(found[format.MANIFEST])
        for row in manifest["members"]:
            octets = found[row["name"]]
            row |= {"sha256": hashlib.sha256(octets).hexdigest(), "octets": len(octets), "lines": octets.count(b"\n")}
        found[format.MANIFEST] = json.dumps(manifest).encode()
        mine = key or Ed25519PrivateKey.generate()
        seal = {"algorithm": "Ed25519", "public_key": mine.public_key().public_bytes_raw().hex()}
        found[format.SIGNATURE] = json.dumps(seal | {"signature": mine.sign(found[format.MANIFEST]).hex()}).encode()

    return rewritten(path, change_and_seal)


def lines(octets: bytes) -> list[Any]:
    return [json.loads(line) for line in octets.splitlines()]
