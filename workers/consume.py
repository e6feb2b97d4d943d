"""A consumer's loop: take messages from the bus, have them handled, and only then let the bus forget them.

The message in hand stays first in line until the database has taken its outcome. While the database is away the loop
waits with growing pauses, keeps the bus's heartbeats going and takes no more than the prefetch. In between it sees to
what is due again: failed attempts, and parked events whose turn came while nobody looked.

A bus that falls silent is left and sought again: its heartbeats fail, or there is something for us that does not come.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import kombu
import structlog

from app.bus import Bus
from app.pulse import beat
from workers.acknowledge import Acknowledgements
from workers.handle import EventHandler, NotRecorded, TookTooLong

log = structlog.get_logger(__name__)

WAIT_S = 0.25  # how long one wait for a message lasts, and so the longest a stop goes unnoticed
CHORES_EVERY_S = 1.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 2.0
SILENCE_S, MAX_SILENCE_S = 3.0, 60.0  # after so long without a message we ask whether there is none
DOUBTS = 2
PATIENCE = 5  # how often an event may take too long before that counts as a failed attempt

# What a broken connection shows itself by: kombu wraps a refused one, and lets the last two through at a wrong moment.
BROKEN = (kombu.exceptions.OperationalError, OSError, AttributeError, KeyError)


class BusStandsStill(ConnectionError):
    """There is something for us, we have room for it, and it does not come."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A text to be handled; `message` is None when it was kept in the database, and so owes the bus nothing."""

    text: str
    message: Any = None
    is_attempt: bool = False
    in_vain: int = 0  # how often it took too long


class ConsumerLoop:
    """One consumer in one thread. Several, in any number of processes, may run for the same consumer."""

    def __init__(self, bus: Bus, handler: EventHandler) -> None:
        self._bus = bus
        self._handler = handler
        self._consumer = handler.consumer
        self._hands: deque[InHand] = deque()
        self._acknowledgements = Acknowledgements(self._consumer.prefetch, one_by_one=bus.in_memory)
        self._pause = Pause()
        self._silence = Silence()
        self._chores_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop`; the message in hand is finished, the others go back to the queue."""
        pause = Pause()
        while not stop.is_set():
            connection = self._bus.connection(self._consumer.name)
            try:
                self._consume(connection, stop, connected=pause.over)
            except (*connection.connection_errors, *connection.channel_errors, *BROKEN) as error:
                seconds = pause.next()
                said = f"{type(error).__name__}: {error}"[:300]
                log.warning("bus_lost", consumer=self._consumer.name, error=said, pause_s=seconds)
                stop.wait(seconds)
            finally:
                self._acknowledgements.clear()
                self._hands.clear()
                connection.collect()

    def _consume(self, connection: kombu.Connection, stop: threading.Event, *, connected: Callable[[], None]) -> None:
        beat()
        channel = connection.default_channel
        self._bus.declare(channel, [self._consumer])
        queue = self._bus.queue(self._consumer)(channel)
        consumer = kombu.Consumer(
            channel,
            [queue],
            on_message=self._receive,
            on_decode_error=self._put_aside,  # kombu's own lets the message disappear
            auto_declare=False,
            prefetch_count=self._consumer.prefetch,
        )
        with consumer:
            connected()
            self._silence.begin()
            log.info("consuming", consumer=self._consumer.name, queue=queue.name)
            while not stop.is_set():
                beat()
                if not self._hands or self._pause.remaining:
                    self._acknowledgements.send()
                    self._listen(connection)
                self._chores(connection, queue)
                self._handle_next()
            self._acknowledgements.send()
        connection.close()

    def _listen(self, connection: kombu.Connection) -> None:
        """Wait for a message, and take those that have come with it."""
        seconds = min(self._pause.remaining, CHORES_EVERY_S) or WAIT_S
        while _drain(connection, seconds) and len(self._hands) < self._consumer.prefetch:
            seconds = 0.0

    def _receive(self, message: Any) -> None:
        self._silence.over()
        self._acknowledgements.owe(message)
        body = message.body
        try:
            text = body.decode() if isinstance(body, bytes) else body
        except UnicodeDecodeError as error:
            self._put_aside(message, error)
        else:
            self._hands.append(InHand(text, message))

    def _handle_next(self) -> None:
        if not self._hands or self._pause.remaining:
            return
        hand = self._hands[0]
        try:
            result = self._handler.handle(hand.text, is_attempt=hand.is_attempt, patient=hand.in_vain < PATIENCE)
        except TookTooLong as error:
            log.warning("took_too_long", consumer=self._consumer.name, times=hand.in_vain + 1, error=str(error)[:300])
            self._hands.rotate(-1)  # the others need not wait for whoever is in this one's way
            self._hands[-1] = replace(hand, in_vain=hand.in_vain + 1)
            return
        except NotRecorded as error:
            self._wait_for_database(error)
            return
        except ValueError as error:
            self._hands.popleft()
            self._put_aside(hand.message, error)
            return
        self._pause.over()
        self._hands.popleft()
        if hand.message is not None:
            self._acknowledgements.settle(hand.message)
        if result.follower is not None:
            self._hands.appendleft(InHand(result.follower, is_attempt=True))

    def _put_aside(self, message: Any, error: Exception) -> None:
        """What is no event of ours goes to the dead letters, whole, for a person to look at."""
        log.error("message_unreadable", consumer=self._consumer.name, error=str(error)[:300])
        if message is not None:
            self._acknowledgements.reject(message)

    def _chores(self, connection: kombu.Connection, queue: kombu.Queue) -> None:
        now = time.monotonic()
        if now < self._chores_at:
            return
        self._chores_at = now + CHORES_EVERY_S
        if not self._bus.in_memory:
            _drain(connection, 0.001)  # heartbeats are heard only by reading, however long the line in hand is
            connection.heartbeat_check()
        if self._pause.remaining:
            return
        try:
            if not self._bus.in_memory:
                self._question_silence(queue)
            self._take_what_is_due()
        except NotRecorded as error:
            self._wait_for_database(error)

    def _question_silence(self, queue: kombu.Queue) -> None:
        """A broker may forget a consumer, or send into the void: one whose queue was deleted and declared again at once
        is told nothing, and what it is sent never comes. A connection that kombu renewed by itself has no consumer.

        Raises BusStandsStill when that seems so, and what the bus raises when there is no queue.
        """
        if self._hands or not self._silence.is_long:
            return
        found = queue.queue_declare(passive=True)
        if not found.consumer_count:
            raise BusStandsStill(f"{queue.name} knows of no consumer")
        if found.message_count:
            self._silence.doubt(f"{found.message_count} messages wait in {queue.name}, and none comes")
        elif self._handler.lacks():
            self._silence.doubt(f"events were sent through {queue.name} and have come to nobody")
        else:
            self._silence.over()

    def _take_what_is_due(self) -> None:
        due = self._handler.due()
        self._hands.extendleft(InHand(text, is_attempt=True) for text in reversed(due))  # ours for a short time

    def _wait_for_database(self, error: NotRecorded) -> None:
        seconds = self._pause.next()
        log.warning("database_lost", consumer=self._consumer.name, error=str(error)[:300], pause_s=seconds)


def _drain(connection: kombu.Connection, seconds: float) -> bool:
    """Whether the bus said anything within so many seconds."""
    try:
        connection.drain_events(timeout=seconds)
    except TimeoutError:
        return False
    return True


class Silence:
    """How long no message has come. Each new connection that brings none is given twice the time of the last."""

    def __init__(self) -> None:
        self._since = 0.0
        self._lasts_s = SILENCE_S / 2
        self._doubts = 0

    @property
    def is_long(self) -> bool:
        return time.monotonic() >= self._since + self._lasts_s

    def begin(self) -> None:
        """A connection has been made."""
        self._since = time.monotonic()
        self._lasts_s = min(self._lasts_s * 2, MAX_SILENCE_S)
        self._doubts = 0

    def over(self) -> None:
        """A message has come, or there is none to come."""
        self._since = time.monotonic()
        self._lasts_s = SILENCE_S
        self._doubts = 0

    def doubt(self, reason: str) -> None:
        """Raises BusStandsStill the second time in a row: what was sent a moment ago is still on its way."""
        self._doubts += 1
        if self._doubts == DOUBTS:
            raise BusStandsStill(reason)


class Pause:
    """Growing pauses while something is away; `over` when it is back."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = 0.0

    @property
    def remaining(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def next(self) -> float:
        """Begin the next pause, twice the last; returns its length in seconds."""
        self._seconds = min(max(self._seconds * 2, FIRST_PAUSE_S), MAX_PAUSE_S)
        self._until = time.monotonic() + self._seconds
        return self._seconds

    def over(self) -> None:
        self._seconds = self._until = 0.0
