"""Everything that becomes due: holds that expire, requests nobody answers, no-shows, promotions, reminders.

A service that needs to be called later says so in its own transaction with `schedule`; the one timekeeper of the
installation calls the kind's handler once the instant has come. After a stop it catches up, oldest first.

    @due("booking.next")
    def advance_booking(session, subject_id, *, now): ...

A handler is an ordinary service call in a transaction of its own. It finds out under its own locks whether there still
is something to do, because what was due may have been moved or undone a moment ago, and may `schedule` itself again.
Due rows come last in the lock order: neither side holds one while it waits for anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.db import Statement, TenantSession, connection_lost, retrying, transaction
from app.events.models import Due
from app.tenancy import SYSTEM

log = structlog.get_logger(__name__)

DueHandler = Callable[..., object]  # (session: Session, subject_id: int, *, now: datetime)
Clock = Callable[[], datetime]

HANDLERS: dict[str, DueHandler] = {}
BACKOFF = [timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1)]


def due(kind: str) -> Callable[[DueHandler], DueHandler]:
    """Declare the service that is called when something of this kind becomes due."""

    def enter(handler: DueHandler) -> DueHandler:
        if kind in HANDLERS:
            raise ValueError(f"two handlers for what is due as {kind}")
        HANDLERS[kind] = handler
        return handler

    return enter


_SCHEDULE = Statement("""
    INSERT INTO due (kind, subject_id, at) VALUES (:kind, :subject_id, :at)
    ON CONFLICT (kind, subject_id) DO UPDATE SET at = excluded.at, attempts = 0, last_error = NULL
""")
_UNSCHEDULE = Statement("DELETE FROM due WHERE kind = :kind AND subject_id = :subject_id")


def schedule(session: Session, kind: str, subject_id: int, at: datetime) -> None:
    """Have `kind` happen to a subject at `at`, instead of at any instant said before."""
    _SCHEDULE.run(session, {"kind": kind, "subject_id": subject_id, "at": at})


def unschedule(session: Session, kind: str, subject_id: int) -> None:
    """Have `kind` not happen to a subject any more; nothing happens when it was not going to."""
    _UNSCHEDULE.run(session, {"kind": kind, "subject_id": subject_id})


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DueRow:
    kind: str
    subject_id: int
    at: datetime
    attempts: int


class Timekeeper:
    """Calls what is due. One at a time in an installation (workers/keep_time.py sees to that)."""

    def __init__(
        self,
        make_session: sessionmaker[TenantSession],
        *,
        clock: Clock = utc_now,
        handlers: dict[str, DueHandler] | None = None,
    ) -> None:
        self._make_session = make_session
        self._clock = clock
        self._handlers = HANDLERS if handlers is None else handlers

    def run_due(self, *, limit: int = 100, stopping: Callable[[], bool] = lambda: False) -> int:
        """Call up to `limit` of what is due, oldest first; returns how many rows were looked at.

        A handler that fails pushes its own row out and holds up no other. Raises when the database is gone.
        """
        rows = self._due_rows(limit)
        for row in rows:
            if stopping():
                break
            self._run(row)
        return len(rows)

    def next_at(self) -> datetime | None:
        """When the next thing becomes due, if anything will."""
        with transaction(self._make_session, SYSTEM) as session:
            return session.scalar(select(func.min(Due.at)).where(Due.kind.in_(self._handlers)))

    def _due_rows(self, limit: int) -> Sequence[DueRow]:
        wanted = select(Due.kind, Due.subject_id, Due.at, Due.attempts)
        ripe = wanted.where(Due.at <= self._clock(), Due.kind.in_(self._handlers)).order_by(Due.at).limit(limit)
        with transaction(self._make_session, SYSTEM) as session:
            return [DueRow(*row) for row in session.execute(ripe)]

    def _run(self, row: DueRow) -> None:
        with structlog.contextvars.bound_contextvars(due=row.kind, subject_id=row.subject_id):
            try:
                retrying(lambda: self._call(row))
            except Exception as error:
                if connection_lost(error):
                    raise
                log.exception("due_failed", attempts=row.attempts + 1)
                self._push_out(row, error)

    def _call(self, row: DueRow) -> None:
        with transaction(self._make_session, SYSTEM) as session:
            if session.scalar(select(Due.at).where(*_unchanged(row))) is None:
                return  # settled or moved since the list was read
            self._handlers[row.kind](session, row.subject_id, now=self._clock())
            session.flush()
            # Last, and only as it was: a handler that scheduled itself again has given the row another instant.
            session.execute(delete(Due).where(*_unchanged(row)).execution_options(synchronize_session=False))

    def _push_out(self, row: DueRow, error: Exception) -> None:
        attempts = row.attempts + 1
        later = self._clock() + BACKOFF[min(attempts, len(BACKOFF)) - 1]
        values = {"at": later, "attempts": attempts, "last_error": f"{type(error).__name__}: {error}"[:2000]}
        with transaction(self._make_session, SYSTEM) as session:
            session.execute(
                update(Due).where(*_unchanged(row)).values(values).execution_options(synchronize_session=False)
            )


def _unchanged(row: DueRow) -> tuple:
    return (Due.kind == row.kind, Due.subject_id == row.subject_id, Due.at == row.at)
