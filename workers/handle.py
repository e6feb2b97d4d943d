"""One event, one transaction: lock the cursor, have the effect, write the receipt, commit; or record why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, connection_lost, retrying, sqlstate, transaction
from app.events import envelope, upcasting
from app.events.catalogue import CATALOGUE
from app.events.envelope import Envelope
from app.tenancy import SYSTEM
from app.timekeeper import utc_now
from workers import receipts
from workers.receipts import Turn
from workers.registry import Consumer, Handler

log = structlog.get_logger(__name__)
IN_VAIN = {"55P03", "57014"}  # lock timeout, statement timeout


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


class TookTooLong(NotRecorded):
    """A lock or a statement did not get its turn in time: somebody else's doing, most likely, and soon over."""


class UnknownEvent(Exception):
    """Recorded by newer code than this. It must not be skipped: kept and tried again until this process is updated."""


def effect_of(consumer: Consumer, event: Envelope) -> Handler | None:
    """What a consumer does with an event; with an echo nothing, unless it passes events on."""
    if event.superseded_by is not None and not consumer.echoes:
        return None
    return consumer.handlers.get(event.type)


def have_effect(session: TenantSession, consumer: Consumer, event: Envelope, *, now: datetime) -> bool:
    """Do what the consumer does with an event, if anything. Raises UnknownEvent, and what the handler raises."""
    if (event.type, event.version) not in CATALOGUE:
        raise UnknownEvent(f"{event.type} version {event.version}")
    effect = effect_of(consumer, event)
    if effect is not None:
        effect(session, upcasting.newest(event), now=now)
    return effect is not None


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

    def handle(self, text: str, *, is_attempt: bool = False, patient: bool = True) -> Result:
        """Handle one event. `is_attempt`: it was kept here and `due` gave it out.

        Raises ValueError when the text is no event, NotRecorded when the database does not take the outcome; of these,
        TookTooLong only while `patient`: an event that takes too long time and again has failed.
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
                if patient and sqlstate(error) in IN_VAIN:
                    raise TookTooLong(str(error)) from error
                return self._record_failure(event, text, error)

    def due(self) -> list[str]:
        """What was parked or failed earlier, and whose time has come. Raises NotRecorded when the database is gone."""
        try:
            with transaction(self._make_session, SYSTEM) as session:
                return list(receipts.claim_due(session, self.consumer.name, now=self._clock()))
        except Exception as error:
            raise NotRecorded(str(error)) from error

    def lacks(self) -> bool:
        """Whether something was sent a while ago that has left no trace here. Raises NotRecorded like `due`."""
        try:
            with transaction(self._make_session, SYSTEM) as session:
                return receipts.lacks(session, self.consumer.name)
        except Exception as error:
            raise NotRecorded(str(error)) from error

    def _attempt(self, event: Envelope, text: str, *, is_attempt: bool) -> Result:
        effect = effect_of(self.consumer, event)
        now = self._clock()
        with transaction(self._make_session, SYSTEM) as session:
            place = receipts.take(
                session,
                self.consumer.name,
                event,
                handled=effect is not None,
                begins_now=self._begins_now,
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
        return Outcome.DONE if have_effect(session, self.consumer, event, now=now) else Outcome.SKIPPED

    def _record_failure(self, event: Envelope, text: str, error: Exception) -> Result:
        """In a transaction of its own: the one that failed is undone. What follows the event waits, or goes on."""
        said = f"{type(error).__name__}: {error}"[:2000]
        name, now, follower = self.consumer.name, self._clock(), None
        try:
            with transaction(self._make_session, SYSTEM) as session:
                if not self.consumer.blocking and receipts.pass_by(session, name, event, begins_now=self._begins_now):
                    follower = receipts.call_follower(session, name, event, now=now)
                row = receipts.fail(session, name, event, text, error=said, now=now)
        except Exception as unrecorded:
            raise NotRecorded(str(unrecorded)) from unrecorded
        if row is None:
            return Result(Outcome.DUPLICATE, follower)
        tell = log.error if row.state == "dead" else log.warning
        tell("event_" + row.state, attempts=row.attempts, error=said, exc_info=error)
        return Result(Outcome(row.state), follower)

    @property
    def _begins_now(self) -> bool:
        return self.consumer.from_ == "now"
