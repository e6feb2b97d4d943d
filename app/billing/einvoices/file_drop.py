"""Delivery by folders, for an access point or a platform that picks files up and puts answers down.

PASSERELLE_HOME/einvoices/out/<operator>/ gets each file whole, by renaming; in/<operator>/ is where answers are read,
which then move to read/, or to unread/ where nobody knows what they are. handed/ remembers what went out, whoever took
it since: the mark is on disk before the file can be seen, so a parcel whose file is gone is never written again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import structlog

from app.billing.einvoices import answers
from app.billing.einvoices.port import Answer, Parcel

log = structlog.get_logger(__name__)

FOLDER = "einvoices"
OUT, IN, READ, UNREAD, DRAFTS, HANDED = "out", "in", "read", "unread", "drafts", "handed"


class FileDrop:
    def __init__(self, home: Path) -> None:
        self._root = home / FOLDER
        self._paths: dict[str, Path] = {}  # of answers that were told and not yet heard

    def hand_over(self, parcel: Parcel) -> str:
        """Write it where it is picked up, unless that was done before. Raises OSError."""
        draft, mark = self._folder(DRAFTS) / parcel.key, self._folder(HANDED) / parcel.key
        place = self._folder(OUT, str(parcel.operator_uid)) / f"{parcel.key}.{parcel.name}"
        with self._alone():
            if not mark.exists():
                _write(draft, parcel.octets)
                _write(mark, place.name.encode())
            with suppress(FileNotFoundError):  # it was renamed before: whoever picks up may have taken it since
                os.replace(draft, place)
                _sync(place.parent)
        return place.name

    def ask(self, *, most: int) -> Sequence[Answer]:
        """The oldest answers in the folders; a file that is none is put aside, and said to be."""
        found = []
        for path in self._arrived():
            try:
                answer = answers.parse(path.read_bytes(), operator_uid=UUID(path.parent.name))
            except FileNotFoundError:
                continue  # another dispatcher was quicker
            except (answers.Unreadable, ValueError) as error:
                self._aside(path, error)
                continue
            self._paths[answer.key] = path
            found.append(answer)
            if len(found) >= most:
                break
        return found

    def heard(self, answer: Answer, *, used: bool) -> None:
        path = self._paths.pop(answer.key, None)
        if path is not None:
            self._move(path, READ if used else UNREAD)

    def _arrived(self) -> Iterator[Path]:
        files = self._root.glob(f"{IN}/*/*")
        yield from sorted(path for path in files if path.is_file() and not path.name.startswith("."))

    def _aside(self, path: Path, error: Exception) -> None:
        log.warning("einvoice_answer_unread", file=path.name, operator=path.parent.name, error=str(error)[:300])
        self._move(path, UNREAD)

    def _move(self, path: Path, folder: str) -> None:
        with suppress(FileNotFoundError):
            os.replace(path, self._folder(folder, path.parent.name) / path.name)

    def _folder(self, *names: str) -> Path:
        folder = self._root.joinpath(*names)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time on this disk: a lease that ran out does not stop who held it."""
        with (self._folder(HANDED) / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(path: Path, octets: bytes) -> None:
    """A whole file or none, on disk with its name. Raises OSError."""
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
