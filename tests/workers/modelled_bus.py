"""A bus in memory that does what buses do on bad days: it loses, repeats, shuffles, and takes the living for dead.

It stands where RabbitMQ stands: `Publisher` for app.bus.Publisher, `Channel` and `Delivered` for what kombu hands to a
consumer's loop. Each publish, confirmation and acknowledgement is a moment of the fuse, before and after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.bus import Message, NotConfirmed
from tests.workers.crashing import Fuse


class ModelledBus:
    """One queue per consumer; a message is in it, or in the hands of one channel."""

    def __init__(self, consumers: Iterable[str], fuse: Fuse) -> None:
        self.fuse = fuse
        self.queues: dict[str, list[str]] = {name: [] for name in consumers}

    def keep(self, text: str) -> None:
        for queue in self.queues.values():
            queue.append(text)

    def lose(self, consumer: str, which: int) -> None:
        queue = self.queues[consumer]
        if queue:
            del queue[which % len(queue)]

    def purge(self, consumer: str) -> None:
        self.queues[consumer].clear()

    def repeat(self, consumer: str, which: int) -> None:
        queue = self.queues[consumer]
        if queue:
            queue.append(queue[which % len(queue)])

    def shuffle(self, consumer: str, seed: int) -> None:
        random.Random(seed).shuffle(self.queues[consumer])

    def depths(self, consumers: Iterable[Any]) -> dict[str, int]:
        return {consumer.name: len(self.queues[consumer.name]) for consumer in consumers}


class Publisher:
    """Takes batches like app.bus.Publisher. While it waits for the confirmations, `meanwhile` happens."""

    def __init__(self, bus: ModelledBus, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._bus = bus
        self.meanwhile = meanwhile
        self.refuses = False

    def publish(self, batch: Sequence[Message]) -> None:
        """Raises NotConfirmed when it `refuses`, with half of the batch on the bus."""
        fuse = self._bus.fuse
        for message in batch[: len(batch) // 2] if self.refuses else batch:
            fuse.moment("before publish")
            self._bus.keep(message.body)
            fuse.moment("after publish")
        with fuse.covered():
            self.meanwhile()
        fuse.moment("before confirm")
        if self.refuses:
            raise NotConfirmed("refused")
        fuse.moment("after confirm")

    def keep_alive(self) -> None:
        pass

    def close(self) -> None:
        pass


class ChannelClosed(ConnectionError):
    """The broker has given up on whoever holds this channel."""


class Channel:
    """One process's way to its queue: what it was given and has not acknowledged, by tag."""

    def __init__(self, bus: ModelledBus, consumer: str) -> None:
        self._bus = bus
        self._consumer = consumer
        self._unacknowledged: dict[int, str] = {}
        self._tags = 0
        self._open = True

    def take(self, most: int) -> list[Delivered]:
        """The next messages of the queue, no more than `most` in hand at once."""
        queue, taken = self._bus.queues[self._consumer], []
        while queue and self._open and len(self._unacknowledged) < most:
            self._tags += 1
            self._unacknowledged[self._tags] = queue.pop(0)
            taken.append(Delivered(self, self._tags, self._unacknowledged[self._tags]))
        return taken

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        self._bus.fuse.moment("before ack")
        self.listen()
        for each in [each for each in self._unacknowledged if each == tag or (multiple and each < tag)]:
            del self._unacknowledged[each]
        self._bus.fuse.moment("after ack")

    def listen(self) -> None:
        """Raises ChannelClosed, once the loop listens to a bus that has given up on it."""
        if not self._open:
            raise ChannelClosed(self._consumer)

    def close(self) -> None:
        """What was not acknowledged is delivered again, first."""
        self._open = False
        self._bus.queues[self._consumer][:0] = self._unacknowledged.values()
        self._unacknowledged = {}


class Delivered:
    """A message as a consumer's loop gets it."""

    def __init__(self, channel: Channel, tag: int, body: str) -> None:
        self.channel, self.delivery_tag, self.body = channel, tag, body

    def ack(self) -> None:
        self.channel.basic_ack(self.delivery_tag)

    def reject(self, requeue: bool = False) -> None:
        raise AssertionError(f"every message is an event of ours: {self.body[:200]}")
