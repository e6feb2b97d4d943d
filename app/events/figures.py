"""Figures that only one process sees, and others report: kept in a table, for /metrics and the doctor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.db import raw

ARCHIVE_WENT_WELL = "archive_went_well"  # `at`: when the archivist last had nothing left to do
ARCHIVE_FAILING = "archive_failing"  # there while it fails; `at`: since when; `note`: why
DEAD_LETTERS = "dead_letters"  # messages in the bus's queue of those that nobody could read
WORKER_STARTS = "worker_starts"  # how often a process of workers has begun

_NOTE = raw("""
    INSERT INTO figure AS f (name, value, note, at) VALUES (:name, :value, :note, :now)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, note = excluded.note,
        at = CASE WHEN :keep_since THEN f.at ELSE excluded.at END
""")
_COUNT = raw("""
    INSERT INTO figure AS f (name, value, at) VALUES (:name, 1, :now)
    ON CONFLICT (name) DO UPDATE SET value = f.value + 1, at = excluded.at
""")
_FORGET = raw("DELETE FROM figure WHERE name = :name")


def note(
    session: Session, name: str, value: float, *, now: datetime, said: str | None = None, keep_since: bool = False
) -> None:
    """Keep a figure as it is now; with `keep_since`, `at` stays what it was when the figure was first there."""
    facts = {"name": name, "value": float(value), "note": said, "now": now, "keep_since": keep_since}
    session.execute(_NOTE, facts)


def count(session: Session, name: str, *, now: datetime) -> None:
    """One more."""
    session.execute(_COUNT, {"name": name, "now": now})


def forget(session: Session, name: str) -> None:
    session.execute(_FORGET, {"name": name})
