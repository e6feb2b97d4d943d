"""The harness's own book of events: a trigger enters each in the transaction that records it, and nobody takes one out.

So it is known what happened when the outbox has given its events to the archive. The archive lives on a small disk of
its own where we may make one, so that a test can fill it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

DISK = "24m"
TABLE = """
    CREATE TABLE chaos_ledger (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, aggregate_type text NOT NULL,
        aggregate_id uuid NOT NULL, seq bigint NOT NULL, type text NOT NULL, envelope text NOT NULL,
        recorded_at timestamptz NOT NULL, UNIQUE (event_id)
    );
    CREATE INDEX ON chaos_ledger (aggregate_id);
    CREATE FUNCTION chaos_enter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO chaos_ledger (event_id, aggregate_type, aggregate_id, seq, type, envelope, recorded_at)
        VALUES (NEW.event_id, NEW.aggregate_type, NEW.aggregate_id, NEW.seq, NEW.type, NEW.envelope, NEW.recorded_at)
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_enter AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION chaos_enter()
"""


class Disk:
    """The folder that is archived to. `fill` leaves no room on it, or, where it is no disk of its own, closes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
        self.is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self._filler = folder / "filler"

    def fill(self) -> None:
        if not self.is_mounted:
            self.folder.chmod(0o500)
            return
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        if self.is_mounted:
            self._filler.unlink(missing_ok=True)
        else:
            self.folder.chmod(0o700)

    def close(self) -> None:
        """What is on it stays readable, in the folder."""
        self.make_room()
        if not self.is_mounted:
            return
        kept = self.folder.with_name(f"{self.folder.name}.kept")
        shutil.copytree(self.folder, kept)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
        shutil.copytree(kept, self.folder, dirs_exist_ok=True)
        shutil.rmtree(kept)
