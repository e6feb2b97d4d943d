"""Deliveries as a bad day would bring them: some twice, some later than those sent after them.

It sits below the product, in py-amqp, between the channel that receives and whatever was given to it as a callback.
Delivery tags are given anew, in the order of handing over, so that what the product sees is what a broker might have
sent; the second copy of a message has a tag, too, and what is said about it stays here.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable
from typing import Any

import amqp
from amqp.channel import Channel

DUPLICATED, SHUFFLED = 0.05, 0.20
LONGEST_S = 0.3  # a message that is overtaken comes at most so much later

HandOver = Callable[[Any], None]


class Deliveries:
    """The messages of one channel that are yet to be handed over, or to be settled."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: list[tuple[float, Callable[[], None]]] = []
        self._open: dict[int, int | None] = {}  # the broker's own tag by ours; a copy has none
        self._last_tag = 0

    def come(self, hand_over: HandOver, message: Any) -> None:
        tag = message.delivery_info["delivery_tag"]
        if self._chance.random() < DUPLICATED:
            self._later(hand_over, message, None)
        if self._chance.random() < SHUFFLED:
            self._later(hand_over, message, tag)
        else:
            self._hand_over(hand_over, message, tag)

    def hand_over_ripe(self) -> bool:
        """Whether there were any."""
        now = time.monotonic()
        ripe = sorted((each for each in self._waiting if each[0] <= now), key=lambda each: each[0])
        if ripe:
            self._waiting = [each for each in self._waiting if each[0] > now]
        for _, hand_over in ripe:
            hand_over()
        return bool(ripe)

    def ripe_in(self) -> float | None:
        """Seconds until the next one is."""
        return max(0.001, min(at for at, _ in self._waiting) - time.monotonic()) if self._waiting else None

    def settle(self, tag: int, *, multiple: bool) -> list[int]:
        """The broker's tags of what is settled by saying so of ours."""
        tags = [each for each in self._open if each <= tag] if multiple else [tag]
        return [theirs for theirs in (self._open.pop(each) for each in tags) if theirs is not None]

    def _later(self, hand_over: HandOver, message: Any, tag: int | None) -> None:
        ripe_at = time.monotonic() + self._chance.random() * LONGEST_S
        self._waiting.append((ripe_at, lambda: self._hand_over(hand_over, message, tag)))

    def _hand_over(self, hand_over: HandOver, message: Any, tag: int | None) -> None:
        self._last_tag += 1
        self._open[self._last_tag] = tag
        given = copy.copy(message)
        given.delivery_info = {**message.delivery_info, "delivery_tag": self._last_tag}
        hand_over(given)


def install(seed: str) -> None:
    """Disturb what this process receives from now on."""
    chance = random.Random(seed)
    consume, drain = Channel.basic_consume, amqp.Connection.drain_events
    acknowledge, reject = Channel.basic_ack, Channel.basic_reject

    def of(channel: Any) -> Deliveries:
        if not hasattr(channel, "deliveries"):
            channel.deliveries = Deliveries(random.Random(chance.random()))
        return channel.deliveries  # type: ignore[no-any-return]

    def basic_consume(self: Any, *arguments: Any, callback: Any = None, **options: Any) -> Any:
        return consume(self, *arguments, callback=lambda message: of(self).come(callback, message), **options)

    def basic_ack(self: Any, delivery_tag: int, multiple: bool = False, **options: Any) -> None:
        for tag in of(self).settle(delivery_tag, multiple=multiple):
            acknowledge(self, tag, **options)

    def basic_reject(self: Any, delivery_tag: int, requeue: bool, **options: Any) -> None:
        for tag in of(self).settle(delivery_tag, multiple=False):
            reject(self, tag, requeue, **options)

    def ripe(disturbed: list[Deliveries]) -> bool:
        return sum(each.hand_over_ripe() for each in disturbed) > 0

    def drain_events(self: Any, timeout: float | None = None) -> Any:
        disturbed = [of(channel) for channel in list(self.channels.values()) if hasattr(channel, "deliveries")]
        if ripe(disturbed):
            return None
        ripe_in = min((seconds for each in disturbed if (seconds := each.ripe_in()) is not None), default=None)
        if ripe_in is None or (timeout is not None and timeout <= ripe_in):
            return drain(self, timeout=timeout)
        try:
            return drain(self, timeout=ripe_in)
        except TimeoutError:
            return None if ripe(disturbed) else _nothing_came(timeout)

    for owner, wrapped in (
        (Channel, basic_consume), (Channel, basic_ack), (Channel, basic_reject), (amqp.Connection, drain_events),
    ):  # fmt: skip
        setattr(owner, wrapped.__name__, wrapped)


def _nothing_came(timeout: float | None) -> None:
    """Sooner than was asked for, which whoever asked takes for the end of a wait."""
    raise TimeoutError(f"nothing within {timeout} s")
