"""Who listens to what: each worker states, in one dict, which events lead to which effects.

A worker is one thin file beside this one:

    from workers.registry import Consumer, register

    CALENDAR = register(
        Consumer(
            name="calendar",
            aggregate_types=("booking",),
            handlers={
                "booking.made": write_fragment,
                "booking.moved": write_fragment,
                "booking.cancelled": write_fragment,
            },
        )
    )

A handler is called as `handler(session, envelope, *, now)` inside the transaction that also writes the receipt and
moves the cursor. It never commits and never calls the outside world; whatever it raises undoes all of it and is tried
again.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.config import Config
from app.events.catalogue import CATALOGUE

Handler = Callable[..., object]  # (session: Session, envelope: Envelope, *, now: datetime)
Loop = Callable[[threading.Event], None]  # runs until the event is set; calls app.pulse.beat() at least every second
SenderOf = Callable[[Config, "sessionmaker[TenantSession]"], Loop]

if TYPE_CHECKING:
    from sqlalchemy.orm import sessionmaker

    from app.db import TenantSession

# The files that register consumers, and those that declare what becomes due. A new one is added here, nowhere else.
MODULES = (
    "workers.billing",
    "workers.calendar",
    "workers.notifications",
    "workers.webhooks",
    "workers.papers",
    "workers.payments",
    "workers.einvoices",
    "workers.allocations",
    "workers.dunning",
    "workers.holds",
)
DUE_MODULES = (
    "app.housekeeping",
    "app.booking.deciding",
    "app.booking.waiting",
    "app.notifications.reminding",
    "app.notifications.digest",
    "app.webhooks.log",
    "app.network.memberships.advancing",
    "app.network.memberships.ending",
    "app.billing.ledger.checkpoints",
    "app.billing.invoices.finishing",
    "app.billing.closings.sealing",
    "app.billing.closings.archive.making",
    "app.billing.dunning.acting",
    "app.billing.dunning.retrying",
)


@dataclass(frozen=True, slots=True)
class Switching:
    """What belongs to putting rebuilt tables in the place of the live ones, in the transaction that does it.

    `aside` are tables that handlers write too, but whose rebuilt rows mean nothing (counters of what clients have been
    told). Both functions are called as `f(session, *, now)`: `before` the differences are taken, to change the rebuilt
    tables; `after` they are in place, when `changed_<table>` holds each as two rows, `(before)` and `(after)`.
    """

    aside: tuple[str, ...] = ()
    before: Callable[..., object] | None = None
    after: Callable[..., object] | None = None


@dataclass(frozen=True, slots=True)
class Consumer:
    """One listener: its events arrive in order per aggregate, and each has its effect once.

    It receives every event of its `aggregate_types`; those without a handler get a `skipped` receipt, so that
    sequences stay contiguous. `prefetch` bounds the messages in hand (10 where effects are heavy, 50 for feeds).
    `from_` says what a consumer that is new to an aggregate type gets: everything since the `beginning`, or what is
    recorded from `now` on. `durable=False` is for effects in this database alone: a commit does not wait for the
    disk, and what a crash of the server takes with it, receipt and effect together, the reconciler has sent again.
    `version` is part of the queue's name: a queue's arguments cannot be changed, only its name can.
    `blocking` says what becomes of an aggregate's later events while one of them fails: they wait, where order matters
    (billing), or go on without it, where each event brings the newest state by itself (feeds).
    `rebuilds` are the tables that hold this consumer's whole effect and may be made anew from all events; a consumer
    without any has effects towards people or other programs, and those are never replayed. `switching` says what
    belongs to putting them in place besides their rows.
    `sender` makes the loop that runs beside the consumer, in the same processes: it carries out of the house what the
    handlers decided (mails, webhooks), claiming its rows so that several may run.
    `echoes` is for a consumer that only passes events on: it is given the copies in older versions that readers outside
    may still need, as they are. Handlers otherwise see the newest version of a type, and each happening once.
    """

    name: str
    aggregate_types: tuple[str, ...]
    handlers: Mapping[str, Handler]
    prefetch: int = 50
    from_: Literal["beginning", "now"] = "beginning"
    durable: bool = True
    version: int = 1
    blocking: bool = True
    rebuilds: tuple[str, ...] = ()
    switching: Switching | None = None
    sender: SenderOf | None = None
    echoes: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a handler whose event would never arrive: a misspelt type or a missing aggregate."""
        for event_type in self.handlers:
            if event_type not in self.event_types:
                raise ValueError(f"{self.name} handles {event_type}, which none of {self.aggregate_types} has")

    @property
    def event_types(self) -> tuple[str, ...]:
        """Every catalogued type of its aggregates: the routing keys its queue is bound to, handled or not."""
        return tuple(
            sorted({name for (name, _), fact in CATALOGUE.items() if fact.aggregate_type in self.aggregate_types})
        )


CONSUMERS: dict[str, Consumer] = {}


def register(consumer: Consumer) -> Consumer:
    """Enter a consumer; its name keys its queue, cursors and receipts, and must never be given to another."""
    if consumer.name in CONSUMERS:
        raise ValueError(f"two consumers are called {consumer.name}")
    CONSUMERS[consumer.name] = consumer
    return consumer


def load() -> dict[str, Consumer]:
    """All consumers of the product, by name; with them everything that becomes due has its handler."""
    for module in (*MODULES, *DUE_MODULES):
        importlib.import_module(module)
    return CONSUMERS
