"""Reading an archive's members line by line, counting and hashing what is read."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from app.billing.closings.archive.format import FORMATS, MANIFEST, MEMBERS, SIGNATURE
from app.billing.closings.archive.verifying.report import Report

LONGEST = 64 << 20  # octets of a line: a document of more lines than anybody writes
OF_SOME_FORMATS = {name for name in MEMBERS if not all(name in members for members in FORMATS.values())}
DAMAGED = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError)
Json = dict[str, Any]


class Reader:
    """An open archive. A file that is none has no members, and says so."""

    def __init__(self, path: Path, report: Report) -> None:
        self._report = report
        self._read: dict[str, tuple[str, int, int]] = {}
        self._file = path.open("rb")
        try:
            self._zip: ZipFile | None = ZipFile(self._file)
        except DAMAGED as error:
            self._zip = None
            report.fault(path.name, f"it is no archive that can be read ({error})")
        self._check_names()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._zip:
            self._zip.close()
        self._file.close()

    def _check_names(self) -> None:
        found = self._zip.namelist() if self._zip else []
        wanted = {*MEMBERS, MANIFEST, SIGNATURE}
        for name in sorted(wanted - OF_SOME_FORMATS - set(found)) if self._zip else ():
            self._report.fault(name, "it is missing")
        for name in sorted(set(found) - wanted):
            self._report.fault(name, "it does not belong into an archive")
        for name in sorted({name for name in found if found.count(name) > 1}):
            self._report.fault(name, "it is there more than once")

    def whole(self, name: str) -> bytes | None:
        """A small member's octets; None when it is not there or damaged, which is said."""
        if self._zip is None or name not in self._zip.namelist():
            return None
        try:
            with self._zip.open(name) as member:
                return member.read(LONGEST)
        except DAMAGED as error:
            self._report.fault(name, f"it is damaged ({error})")
            return None

    def lines(self, name: str) -> Iterator[tuple[int, Json]]:
        """The objects of a member with their line numbers; what is no object is said and left out."""
        if self._zip is None or name not in self._zip.namelist():
            return
        seen, size, no = hashlib.sha256(), 0, 0
        try:
            with self._zip.open(name) as member:
                while octets := member.readline(LONGEST):
                    seen.update(octets)
                    size, no = size + len(octets), no + 1
                    if (parsed := self._parsed(name, no, octets)) is not None:
                        yield no, parsed
        except DAMAGED as error:
            self._report.fault(name, f"it is damaged after line {no} ({error})")
        self._read[name] = (seen.hexdigest(), size, no)
        self._report.counts[name] = no

    def _parsed(self, name: str, no: int, octets: bytes) -> Json | None:
        try:
            found = json.loads(octets)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._report.fault(name, f"line {no} is no JSON object")
            return None
        return found

    def compare(self, manifest: Json) -> None:
        """Say which members are not as the manifest says."""
        listed = manifest.get("members")
        said = {row.get("name"): row for row in listed if isinstance(row, dict)} if isinstance(listed, list) else {}
        wanted = FORMATS.get(str(manifest.get("format")), MEMBERS)
        for name in MEMBERS:
            row = said.get(name)
            if name not in wanted:
                if name in self._read:
                    self._report.fault(name, "it does not belong into an archive of this format")
            elif name in OF_SOME_FORMATS and name not in self._read and self._zip is not None:
                self._report.fault(name, "it is missing")
            elif row is None:
                self._report.fault(MANIFEST, f"it does not name {name}")
            elif name in self._read and (row.get("sha256"), row.get("octets"), row.get("lines")) != self._read[name]:
                self._report.fault(name, "its SHA-256, size or number of lines is not what the manifest says")
