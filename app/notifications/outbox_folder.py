"""Mails as files, where no mail server is set: PASSERELLE_HOME/outbox/<day>/<notification>.eml.

Any mail program opens them. A file is whole or not there, and sending a mail again writes the same file.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from app.notifications.composing import Mail
from app.notifications.transport import Unreachable

FOLDER = "outbox"


class OutboxFolder:
    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def send(self, mail: Mail) -> None:
        """Raises Unreachable: the disk is full, or the folder not ours."""
        try:
            self._write(self.folder / mail.day / f"{mail.uid}.eml", mail.octets)
        except OSError as error:
            raise Unreachable(f"{type(error).__name__}: {error.strerror}") from error

    def close(self) -> None:
        """There is nothing to let go of."""

    def _write(self, file: Path, octets: bytes) -> None:
        """Synced under another name, then renamed. Only we read it: mode 0600, in a folder of mode 0700."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as open_file:
                open_file.write(octets)
                open_file.flush()
                os.fsync(open_file.fileno())
            os.replace(draft, file)
        except BaseException:
            os.unlink(draft)
            raise
