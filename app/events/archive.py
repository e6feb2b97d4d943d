"""A file of archived events: gzip, JSON lines, the first of which says what the others are and their SHA-256.

A file appears whole or not at all: it is written under another name, synced, renamed, and its folder synced. The name
comes from what is in it, so that the same events are the same file, and of one event there are never two differing
copies: a line holds what never changes of it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import socket
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.errors import Problem
from app.events.envelope import instant

FOLDER = "archive"  # under PASSERELLE_HOME
ENDS, UNFINISHED = ".jsonl.gz", ".part"
FORMAT = "passerelle.events.1"


class ArchiveDamaged(Problem):
    code = "archive_damaged"
    status = 500
    title = "An archive of events is not as it was written: put a good copy in its place."


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """What never changes of a row of the outbox."""

    id: int
    event_id: UUID
    aggregate_type: str
    aggregate_id: UUID
    seq: int
    type: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    envelope: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first line of a file. `sha256` is that of all lines after it; `host` wrote it at `archived_at`."""

    name: str
    host: str
    archived_at: datetime
    first_id: int
    last_id: int
    count: int
    sha256: str
    aggregate_types: list[str]
    recorded_from: datetime
    recorded_to: datetime


@dataclass(frozen=True, slots=True)
class Archive:
    manifest: Manifest
    events: list[ArchivedEvent]


def write(folder: Path, events: Sequence[ArchivedEvent], *, now: datetime) -> Manifest:
    """Put `events`, at least one and in the order of their ids, into a file of `folder`; it is on disk on return.

    Raises OSError when that cannot be done, and leaves nothing half-written then.
    """
    lines = b"".join(_line(asdict(event)) for event in events)
    manifest = _manifest(events, hashlib.sha256(lines).hexdigest(), now)
    octets = gzip.compress(_line({"format": FORMAT, **asdict(manifest)}) + lines, compresslevel=6, mtime=0)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = folder / f".{manifest.name}{UNFINISHED}"
    try:
        _write_synced(unfinished, octets)
        unfinished.replace(folder / manifest.name)
    except OSError:
        unfinished.unlink(missing_ok=True)  # a full disk needs the room
        raise
    sync_folder(folder)
    return manifest


def read(path: Path) -> Archive:
    """A whole file, verified. Raises ArchiveDamaged, or OSError when it cannot be read at all."""
    try:
        head, _, lines = gzip.decompress(path.read_bytes()).partition(b"\n")
        manifest = _manifest_of(json.loads(head))
        if hashlib.sha256(lines).hexdigest() != manifest.sha256:
            raise ValueError("its SHA-256 is another")
        events = [_event(json.loads(line)) for line in lines.splitlines()]
        if len(events) != manifest.count or manifest.name != path.name:
            raise ValueError("its first line is about another file")
    except (gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError, TypeError) as error:
        raise ArchiveDamaged(file=str(path), found=f"{type(error).__name__}: {error}"[:200]) from error
    return Archive(manifest, events)


def names(folder: Path) -> list[str]:
    """The files of a folder, finished ones only; none when there is no folder yet."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(ENDS))
    except FileNotFoundError:
        return []


def remove_unfinished(folder: Path) -> None:
    """What a process left that died while it was writing."""
    for path in folder.glob(f".*{ENDS}{UNFINISHED}"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_synced(path: Path, octets: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())


def _manifest(events: Sequence[ArchivedEvent], sha256: str, now: datetime) -> Manifest:
    first, last = events[0], events[-1]
    return Manifest(
        name=f"events-{first.id:012d}-{last.id:012d}-{sha256[:16]}{ENDS}",
        host=socket.gethostname(),
        archived_at=now,
        first_id=first.id,
        last_id=last.id,
        count=len(events),
        sha256=sha256,
        aggregate_types=sorted({event.aggregate_type for event in events}),
        recorded_from=min(event.recorded_at for event in events),
        recorded_to=max(event.recorded_at for event in events),
    )


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, default=_as_text, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _as_text(value: Any) -> str:
    return instant(value) if isinstance(value, datetime) else str(value)


def _manifest_of(values: dict[str, Any]) -> Manifest:
    if values.pop("format", None) != FORMAT:
        raise ValueError(f"not of the format {FORMAT}")
    return Manifest(**(values | _instants(values, ("archived_at", "recorded_from", "recorded_to"))))


def _event(values: dict[str, Any]) -> ArchivedEvent:
    ids = {name: UUID(values[name]) for name in ("event_id", "aggregate_id")}
    return ArchivedEvent(**(values | ids | _instants(values, ("occurred_at", "recorded_at"))))


def _instants(values: dict[str, Any], which: Iterable[str]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(values[name]) for name in which}
