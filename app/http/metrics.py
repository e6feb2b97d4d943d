"""Counters for Prometheus, shared by all web processes through PROMETHEUS_MULTIPROC_DIR.

All of them are counted in one place each: requests where they are logged, bookings when a transaction that recorded
them commits, refusals where they are answered.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.db import TenantSession
from app.errors import Problem, Refused, SlotTaken
from app.events.catalogue import BookingMade

REQUESTS = Counter("passerelle_requests", "Answered requests.", ["operation", "status"])
BOOKINGS = Counter("passerelle_bookings", "Bookings made, by the status they were made in.", ["status"])
REFUSALS = Counter("passerelle_refusals", "Bookings refused, by rule.", ["rule"])


def answered(operation: str, status: int) -> None:
    _answers(operation, status).inc()


@cache
def _answers(operation: str, status: int) -> Counter:
    """One counter for each pair; looking it up by its labels costs more than counting."""
    return REQUESTS.labels(operation, str(status))


def refused(problem: Problem) -> None:
    """Count a refusal that was answered; other problems are no refusals. Pages that catch one themselves call this."""
    if isinstance(problem, Refused):
        REFUSALS.labels(problem.rule).inc()
    elif isinstance(problem, SlotTaken):
        REFUSALS.labels("capacity").inc()


def _count_committed(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint was released: nothing is committed yet
        return
    for fact in session.info.pop("recorded", ()):
        if isinstance(fact, BookingMade):
            BOOKINGS.labels(fact.status).inc()


def _forget_undone(session: Session) -> None:
    if not session.in_nested_transaction():  # who undoes a savepoint forgets what was recorded in it
        session.info.pop("recorded", None)


# A process that never imports this module (a worker) collects nothing worth mentioning: see events/outbox.py.
event.listen(TenantSession, "after_commit", _count_committed)
event.listen(TenantSession, "after_rollback", _forget_undone)
