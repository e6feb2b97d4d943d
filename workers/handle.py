"""One event, one transaction: lock the cursor, have the effect, write the receipt, commit; or record why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, connection_lost, retrying, transaction
from app.events import envelope
from app.events.catalogue import CATALOGUE
from app.events.envelope import Envelope
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from workers import receipts
from workers.receipts import Turn
from workers.registry import Consumer

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of an event; all of them mean that the bus may forget it."""

    DONE = "done"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    HELD = "held"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Result:
    outcome: Outcome
    follower: str | None = None  # the parked event whose turn has come with this one


class NotRecorded(Exception):
    """The database would not take it: keep the event, and try again after a pause."""


class UnknownEvent(Exception):
    """Recorded by newer code than this. It must not be skipped: kept and tried again until this process is updated."""


class EventHandler:
    """Turns a consumer's events into its effects, each exactly once and in order per aggregate."""

    def __init__(
        self,
        consumer: Consumer,
        make_session: sessionmaker[TenantSession],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.consumer = consumer
        self._make_session = make_session
        self._clock = clock

    def handle(self, text: str, *, is_attempt: bool = False) -> Result:
        """Handle one event. `is_attempt`: it was kept here and `due` gave it out.

        Raises ValueError when the text is no event, NotRecorded when the database does not take the outcome.
        """
        event = envelope.read(text)
        with structlog.contextvars.bound_contextvars(
            consumer=self.consumer.name, event_id=str(event.event_id), request_id=event.request_id
        ):
            try:
                return retrying(lambda: self._attempt(event, text, is_attempt=is_attempt))
            except Exception as error:
                if connection_lost(error):
                    raise NotRecorded(str(error)) from error
                return Result(self._record_failure(event, text, error))

    def due(self) -> list[str]:
        """What was parked or failed earlier, and whose time has come. Raises NotRecorded when the database is gone."""
        try:
            with transaction(self._make_session, SYSTEM) as session:
                return list(receipts.claim_due(session, self.consumer.name, now=self._clock()))
        except Exception as error:
            raise NotRecorded(str(error)) from error

    def _attempt(self, event: Envelope, text: str, *, is_attempt: bool) -> Result:
        effect = self.consumer.handlers.get(event.type)
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            place = receipts.take(
                session,
                self.consumer.name,
                event,
                handled=effect is not None,
                begins_now=self.consumer.from_ == "now",
                is_attempt=is_attempt,
            )
            outcome = self._act(session, event, text, place.turn, now=now)
            session.flush()
            follower = receipts.call_follower(session, self.consumer.name, event, now=now) if place.followed else None
        return Result(outcome, follower)

    def _act(self, session: TenantSession, event: Envelope, text: str, turn: Turn, *, now: datetime) -> Outcome:
        if turn is Turn.SEEN:
            return Outcome.DUPLICATE
        if turn is Turn.HELD:
            session.rollback()  # the cursor was moved before the event was found to be held
            return Outcome.HELD
        if turn is Turn.EARLY:
            receipts.park(session, self.consumer.name, event, text)
            log.info("event_parked", aggregate_id=str(event.aggregate_id), seq=event.seq)
            return Outcome.PARKED
        if (event.type, event.version) not in CATALOGUE:
            raise UnknownEvent(f"{event.type} version {event.version}")
        effect = self.consumer.handlers.get(event.type)
        if effect is None:
            return Outcome.SKIPPED
        effect(session, event, now=now)
        return Outcome.DONE

    def _record_failure(self, event: Envelope, text: str, error: Exception) -> Outcome:
        """In a transaction of its own: the one that failed is undone. The event and all that follow it wait."""
        said = f"{type(error).__name__}: {error}"[:2000]
        try:
            with transaction(self._make_session, SYSTEM) as session:
                row = receipts.fail(session, self.consumer.name, event, text, error=said, now=self._clock())
        except Exception as unrecorded:
            raise NotRecorded(str(unrecorded)) from unrecorded
        if row is None:
            return Outcome.DUPLICATE
        tell = log.error if row.state == "dead" else log.warning
        tell("event_" + row.state, attempts=row.attempts, error=said, exc_info=error)
        return Outcome(row.state)
