"""The whole state in one JSON file, so that a fake that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.stripe.idempotency import Kept

if TYPE_CHECKING:
    from tests.fakes.stripe.fake import Fake

EVERY = 0.5  # seconds between two looks for changes


def save(fake: Fake, path: Path) -> None:
    """Write the state, whole or not at all. Events that were not delivered are sent again by the next fake."""
    with fake.lock:
        text = json.dumps(
            {
                "number": fake.store.number,
                "things": fake.store.things,
                "hidden": fake.store.hidden,
                "entries": fake.books.entries,
                "charges": fake.books.charges,
                "moved": fake.books.moved,
                "broken": fake.books.broken,
                "keys": [[account, key, asdict(kept)] for (account, key), kept in fake.keys.kept.items()],
                "due": fake.schedule.waiting(),
                "ahead": fake.clock.ahead,
                "settings": asdict(fake.settings),
            }
        )
    beside = path.with_suffix(".new")
    beside.write_text(text)
    os.replace(beside, path)


def load(fake: Fake, path: Path) -> None:
    """Go on from the file, if it is there. A key that was in flight then is free again."""
    if not path.exists():
        return
    kept = json.loads(path.read_text())
    fake.store.number, fake.store.things, fake.store.hidden = kept["number"], kept["things"], kept["hidden"]
    fake.books.entries, fake.books.charges, fake.books.broken = kept["entries"], kept["charges"], kept["broken"]
    fake.books.moved = kept["moved"]
    for account, key, values in kept["keys"]:
        if values["status"] is not None:
            fake.keys.kept[account, key] = Kept(**values)
    for due, action, arguments in kept["due"]:
        fake.schedule.add(due, action, **arguments)
    fake.clock.ahead = kept["ahead"]
    fake.settings.change(kept["settings"])
