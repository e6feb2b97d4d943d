"""Delivery by folders, for an access point or a platform that picks files up and puts answers down.

PASSERELLE_HOME/einvoices/out/<operator>/ gets each file whole, by renaming; in/<operator>/ is where answers are read,
which then move to read/, or to unread/ where nobody knows what they are, under the hash of what they say and their
name: names come again. handed/ remembers what went out, whoever took it since: the mark is on disk before the file can
be seen, so a parcel whose file is gone is never written again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, zip_longest
from pathlib import Path
from uuid import UUID

import structlog

from app import pulse
from app.billing.einvoices import answers
from app.billing.einvoices.port import Answer, Parcel

log = structlog.get_logger(__name__)

FOLDER = "einvoices"
OUT, IN, READ, UNREAD, DRAFTS, HANDED = "out", "in", "read", "unread", "drafts", "handed"
LONGEST_NAME = 160  # octets of a name that are kept, of the 255 that a file system has for it and the hash

Told = tuple[UUID, str]  # whose answer, and its key: two operators may be told the same


class FileDrop:
    def __init__(self, home: Path) -> None:
        self._root = home / FOLDER
        self._paths: dict[Told, Path] = {}  # of answers that were told and not yet heard
        self._settled: dict[Told, str] = {}  # heard, but their files could not be moved: the folder where they belong
        self._locked: set[Path] = set()  # which cannot be read: said once

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
        """Answers in the folders, of each operator in turn; a file that is none is put aside, and said to be. One that
        cannot be read or moved stays where it is, and stops no other."""
        found: list[Answer] = []
        for path in self._arrived():
            pulse.beat()
            answer = self._answer(path)
            if answer is not None:
                self._paths[answer.operator_uid, answer.key] = path
                found.append(answer)
            if len(found) >= most:
                break
        return found

    def heard(self, answer: Answer, *, used: bool) -> None:
        told, folder = (answer.operator_uid, answer.key), READ if used else UNREAD
        path = self._paths.pop(told, None)
        if path is not None and not self._move(path, folder, answer.key):
            self._settled[told] = folder

    def _answer(self, path: Path) -> Answer | None:
        """What a file says, unless it was heard; None of what is no answer, or gone: another dispatcher was quicker."""
        try:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                octets = file.read(answers.MOST_OCTETS + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._stays(path, error)
            return None
        try:
            answer = answers.parse(octets, operator_uid=UUID(path.parent.name))
        except (answers.Unreadable, ValueError) as error:
            if self._move(path, UNREAD, hashlib.sha256(octets).hexdigest()):
                log.warning("einvoice_answer_unread", file=path.name, operator=path.parent.name, error=str(error)[:300])
            return None
        told = (answer.operator_uid, answer.key)
        if told in self._settled:
            if self._move(path, self._settled[told], answer.key):
                del self._settled[told]
            return None
        return answer

    def _arrived(self) -> Iterator[Path]:
        """What lies in the folders by name, a file of each operator after the other."""
        in_turn = zip_longest(*(self._within(folder) for folder in self._within(self._root / IN)))
        yield from (path for path in chain.from_iterable(in_turn) if path is not None)

    def _within(self, folder: Path) -> list[Path]:
        try:
            return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._stays(folder, error)
            return []

    def _stays(self, path: Path, error: OSError) -> None:
        if path not in self._locked:
            self._locked.add(path)
            log.warning("einvoice_answer_locked", file=path.name, folder=str(path.parent), error=str(error)[:300])

    def _move(self, path: Path, folder: str, key: str) -> bool:
        """Whether it is out of the way, moved by us or by another; where the disk refuses it stays."""
        name = os.fsencode(path.name)[-LONGEST_NAME:].decode(errors="ignore")
        try:
            place = self._folder(folder, path.parent.name) / f"{key}.{name}"
            with suppress(FileNotFoundError):
                os.replace(path, place)
        except OSError as error:
            self._stays(path, error)
            return False
        return True

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
