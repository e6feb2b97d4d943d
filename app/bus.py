"""The bus: what is declared on it, how it is reached, and publishing with every single confirmation accounted for.

One durable topic exchange `passerelle.events`, routing key = event type. Each consumer has a quorum queue
`passerelle.<consumer>.v<n>`, bound to every catalogued type of its aggregates; what a consumer cannot read, or what
killed it time and again, ends in `passerelle.dead`. The bus may lose all it holds: the outbox and the receipts do not.

On `memory://` the same names live inside one process, without confirmations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kombu import Connection, Exchange, Queue

from app import wire
from app.pulse import beat

HEARTBEAT_S = 5  # two missed, and either side takes the other for dead: what a frozen worker holds goes to others
CONNECT_TIMEOUT_S = 4
SOCKET_TIMEOUT_S = 5  # without it a frozen broker holds a reader or a writer for good
CONFIRM_TIMEOUT_S = 5  # without one confirmation more
LOOK_UP_S = 0.5  # how long one wait for a confirmation lasts
POLLING_S = 0.02  # kombu's default second would be the whole latency of the embedded set-up
DELIVERY_LIMIT = 20  # deliveries of one message to consumers that die of it
MEDIA_TYPE = "application/cloudevents+json"
PERSISTENT = 2


class NotConfirmed(Exception):
    """The bus has not said of every message of a batch that it keeps it: none of the batch counts as published."""


class Blocked(NotConfirmed):
    """The broker is short of memory or disk and takes nothing. The connection is kept: it says when that is over."""


class Subscriber(Protocol):
    """What the bus needs to know of a consumer (workers.registry.Consumer is one)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def event_types(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One event ready to go out: its type is the routing key, `body` the envelope's exact text."""

    event_id: str
    type: str
    body: str


class Bus:
    """Where the bus is and what its exchange and queues are called. Holds no connection."""

    def __init__(self, url: str, *, prefix: str = "passerelle") -> None:
        self.url = url
        self.prefix = prefix
        self.in_memory = url.startswith("memory:")
        self.exchange = Exchange(f"{prefix}.events", type="topic", durable=True)
        self.dead_exchange = Exchange(f"{prefix}.dead", type="fanout", durable=True)

    def connection(self, purpose: str, **handlers: Callable[..., object]) -> Connection:
        """A connection, not yet open. `purpose` names it in the broker's management pages; `handlers` are `on_blocked`
        and `on_unblocked`, called while something is read from it."""
        if self.in_memory:
            return Connection(self.url, transport_options={"polling_interval": POLLING_S, "body_encoding": "utf-8"})
        return Connection(
            self.url,
            transport=wire.Transport if self.url.startswith("amqp:") else None,
            heartbeat=HEARTBEAT_S,
            connect_timeout=CONNECT_TIMEOUT_S,
            transport_options={
                "max_retries": 0,  # who asks decides when to ask again, and can be stopped meanwhile
                "read_timeout": SOCKET_TIMEOUT_S,
                "write_timeout": SOCKET_TIMEOUT_S,
                "client_properties": {"connection_name": f"{self.prefix} {purpose}"},
                **handlers,
            },
        )

    def queue(self, subscriber: Subscriber) -> Queue:
        return Queue(
            f"{self.prefix}.{subscriber.name}.v{subscriber.version}",
            self.exchange,
            durable=True,
            queue_arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": self.dead_exchange.name,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",  # at-least-once dead-lettering is refused without it
            },
        )

    def dead_queue(self) -> Queue:
        return Queue(
            f"{self.prefix}.dead.v1", self.dead_exchange, durable=True, queue_arguments={"x-queue-type": "quorum"}
        )

    def declare(self, channel: Any, subscribers: Iterable[Subscriber]) -> None:
        """Create whatever is missing of the exchange, the queues and their bindings; changes nothing that exists."""
        if not self.in_memory:
            self.dead_queue()(channel).declare()
        self.exchange(channel).declare()
        for subscriber in subscribers:
            queue = self.queue(subscriber)(channel)
            queue.queue_declare()
            for event_type in subscriber.event_types:
                queue.bind_to(self.exchange, routing_key=event_type)

    def delete(self, subscribers: Iterable[Subscriber]) -> None:
        """Remove the queues and exchanges, with all they hold (for tests and for taking an installation down)."""
        with self.connection("delete") as connection:
            channel = connection.default_channel
            for queue in [*map(self.queue, subscribers), self.dead_queue()]:
                queue(channel).delete()
            self.exchange(channel).delete()
            if not self.in_memory:
                self.dead_exchange(channel).delete()

    def depths(self, subscribers: Iterable[Subscriber]) -> dict[str, int]:
        """How many messages wait in each consumer's queue, by consumer; not those already handed to it."""
        with self.connection("depths") as connection:
            self.declare(connection.default_channel, subscribers)
            return {
                subscriber.name: self.queue(subscriber)(connection.default_channel).queue_declare(passive=True)[1]
                for subscriber in subscribers
            }


class Publisher:
    """Publishes batches; a batch counts only when the broker has confirmed each of its messages.

    Every delivery tag is tracked here. py-amqp's own waiting takes whichever confirmation comes next for its own, and
    so calls published what was refused. After any error the connection is thrown away without ceremony: what it still
    knew cannot be told apart from what it lost.
    """

    def __init__(self, bus: Bus, subscribers: Iterable[Subscriber]) -> None:
        self._bus = bus
        self._subscribers = list(subscribers)
        self._expected = {event_type for subscriber in self._subscribers for event_type in subscriber.event_types}
        self._connection: Connection | None = None
        self._channel: Any = None
        self._tag = 0
        self._unconfirmed: set[int] = set()
        self._faults: list[str] = []
        self._blocked: str | None = None

    def publish(self, batch: Sequence[Message]) -> None:
        """Returns once the broker keeps every message on disk. Raises NotConfirmed: then count none as published."""
        try:
            self._open()
            self._hear()
            for message in batch:
                self._refuse_while_blocked()
                self._send(message)
            self._await_confirmations()
        except Blocked:
            raise
        except Exception as error:
            # Whatever it was (kombu lets AttributeError through when a connection breaks), the remedy is the same.
            self.close()
            raise NotConfirmed(f"{type(error).__name__}: {error}") from error

    def keep_alive(self) -> None:
        """Answer the broker's heartbeats between batches; a connection that died is thrown away, to be opened anew."""
        if self._connection is None or self._bus.in_memory:
            return
        try:
            self._read(0.001)
            self._connection.heartbeat_check()
        except Exception:
            self.close()

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.collect()

    def _open(self) -> None:
        if self._connection is not None:
            return
        self._connection = self._bus.connection("relay", on_blocked=self._on_blocked, on_unblocked=self._on_unblocked)
        self._channel = self._connection.default_channel
        self._bus.declare(self._channel, self._subscribers)
        self._tag, self._unconfirmed, self._faults, self._blocked = 0, set(), [], None
        if not self._bus.in_memory:
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._on_ack)
            self._channel.events["basic_nack"].add(self._on_nack)
            self._channel.events["basic_return"].add(self._on_return)

    def _send(self, message: Message) -> None:
        properties = {"delivery_mode": PERSISTENT, "message_id": message.event_id, "type": message.type}
        prepared = self._channel.prepare_message(
            message.body, content_type=MEDIA_TYPE, content_encoding="utf-8", properties=properties
        )
        if self._bus.in_memory:
            self._channel.basic_publish(prepared, self._bus.exchange.name, message.type)
            return
        self._tag += 1
        self._unconfirmed.add(self._tag)
        # An event that no consumer listens to yet has nowhere to go, and that is no fault.
        self._channel.basic_publish(
            prepared, self._bus.exchange.name, message.type, mandatory=message.type in self._expected
        )

    def _await_confirmations(self) -> None:
        missing, deadline = len(self._unconfirmed), time.monotonic() + CONFIRM_TIMEOUT_S
        while self._unconfirmed and not self._faults:
            beat()
            self._refuse_while_blocked()
            self._read(LOOK_UP_S)
            if len(self._unconfirmed) < missing:
                missing, deadline = len(self._unconfirmed), time.monotonic() + CONFIRM_TIMEOUT_S
            elif time.monotonic() > deadline:
                raise NotConfirmed(f"{missing} messages not confirmed within {CONFIRM_TIMEOUT_S} s")
        if self._faults:
            raise NotConfirmed("; ".join(self._faults[:5]))

    def _hear(self) -> None:
        """Take in what the broker has said meanwhile: that it is blocked, or no longer."""
        if not self._bus.in_memory:
            self._read(0.0)

    def _refuse_while_blocked(self) -> None:
        if self._blocked is not None:
            raise Blocked(self._blocked)

    def _read(self, timeout: float) -> None:
        try:
            self._connection.drain_events(timeout=timeout)  # type: ignore[union-attr]
        except TimeoutError:
            return

    def _on_blocked(self, reason: str) -> None:
        self._blocked = reason

    def _on_unblocked(self) -> None:
        self._blocked = None

    def _on_ack(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {waiting for waiting in self._unconfirmed if waiting > tag}
        else:
            self._unconfirmed.discard(tag)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._faults.append(f"refused: message {tag}{' and those before' if multiple else ''}")

    def _on_return(self, error: Exception, _exchange: str, routing_key: str, _message: Any) -> None:
        self._faults.append(f"returned: no queue takes {routing_key} ({error})")
