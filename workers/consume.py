"""A consumer's loop: take messages from the bus, have them handled, and only then let the bus forget them.

The message in hand stays first in line until the database has taken its outcome. While the database is away the loop
waits with growing pauses, keeps the bus's heartbeats going and takes no more than the prefetch. In between it sees to
what is due again: failed attempts, and parked events whose turn came while nobody looked.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kombu
import structlog

from app.bus import Bus
from workers.handle import EventHandler, NotRecorded

log = structlog.get_logger(__name__)

WAIT_S = 0.25  # how long one wait for a message lasts, and so the longest a stop goes unnoticed
CHORES_EVERY_S = 1.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class InHand:
    """A text to be handled; `message` is None when it was kept in the database, and so owes the bus nothing."""

    text: str
    message: Any = None
    is_attempt: bool = False


class ConsumerLoop:
    """One consumer in one thread. Several, in any number of processes, may run for the same consumer."""

    def __init__(self, bus: Bus, handler: EventHandler) -> None:
        self._bus = bus
        self._handler = handler
        self._consumer = handler.consumer
        self._hands: deque[InHand] = deque()
        self._pause = Pause()
        self._chores_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop`; the message in hand is finished, the others go back to the queue."""
        pause = Pause()
        while not stop.is_set():
            connection = self._bus.connection(self._consumer.name)
            try:
                self._consume(connection, stop, connected=pause.over)
            except (*connection.connection_errors, *connection.channel_errors, OSError) as error:
                log.warning("bus_lost", consumer=self._consumer.name, error=f"{type(error).__name__}: {error}"[:300])
                stop.wait(pause.next())
            finally:
                self._hands.clear()  # the bus delivers again what it was not told to forget
                connection.collect()

    def _consume(self, connection: kombu.Connection, stop: threading.Event, *, connected: Callable[[], None]) -> None:
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
            log.info("consuming", consumer=self._consumer.name, queue=queue.name)
            while not stop.is_set():
                if not self._hands or self._pause.remaining:
                    _drain(connection, self._pause.remaining or WAIT_S)
                self._chores(connection)
                self._handle_next()
        connection.close()

    def _receive(self, message: Any) -> None:
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
            result = self._handler.handle(hand.text, is_attempt=hand.is_attempt)
        except NotRecorded as error:
            seconds = self._pause.next()
            log.warning("database_lost", consumer=self._consumer.name, error=str(error)[:300], pause_s=seconds)
            return
        except ValueError as error:
            self._hands.popleft()
            self._put_aside(hand.message, error)
            return
        self._pause.over()
        self._hands.popleft()
        if hand.message is not None:
            hand.message.ack()
        if result.follower is not None:
            self._hands.appendleft(InHand(result.follower, is_attempt=True))

    def _put_aside(self, message: Any, error: Exception) -> None:
        """What is no event of ours goes to the dead letters, whole, for a person to look at."""
        log.error("message_unreadable", consumer=self._consumer.name, error=str(error)[:300])
        if message is not None:
            message.reject(requeue=False)

    def _chores(self, connection: kombu.Connection) -> None:
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
            self._hands.extend(InHand(text, is_attempt=True) for text in self._handler.due())
        except NotRecorded as error:
            log.warning("database_lost", consumer=self._consumer.name, error=str(error)[:300])
            self._pause.next()


def _drain(connection: kombu.Connection, seconds: float) -> None:
    try:
        connection.drain_events(timeout=seconds)
    except TimeoutError:
        return


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
