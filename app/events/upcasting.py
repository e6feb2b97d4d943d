"""Old versions of events, read as the newest: handlers know one version of each type, whatever lies on disks and buses.

A breaking change of an event goes like this.

1. Enter the new version in the catalogue; the class of the old one stays, renamed (`BookingMadeV1`): its texts are kept
   for ever, and so are its golden files. An `@upcast` makes the data of version n into that of n + 1:

        @upcast("booking.made", 1)
        def with_parts_of_the_price(data: dict[str, Any]) -> dict[str, Any]:
            ...

   It only rearranges what is there. What the old version never said gets the value that means "not known".
2. Deploy the workers before the web: a worker that meets a version newer than its catalogue keeps the event and tries
   again (workers.handle.UnknownEvent), which is safe but late.
3. Readers outside (webhooks, other programs on the bus) have not changed yet. While one of them reads the old version,
   the service that records the new one also records the old, in the same transaction, as an event of its own:

        newest = record(session, booking, BookingMade(...), at=now)
        record_echo(session, booking, BookingMadeV1(...), of=newest, at=now)

   Such an echo has an id and a sequence number like any other, and says in `supersededby` whose echo it is. Consumers
   give it a `skipped` receipt, so that nothing happens twice; those that only pass events on (`Consumer.echoes`) get
   it as it is.
4. When nobody reads the old version any more, the line that records the echo goes. The rest stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from app.events.catalogue import CATALOGUE, DomainEvent
from app.events.envelope import Envelope

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
Steps = Mapping[tuple[str, int], Upcast]
Catalogue = Mapping[tuple[str, int], type[DomainEvent]]

UPCASTS: dict[tuple[str, int], Upcast] = {}


class NoUpcast(LookupError):
    """A version in the catalogue that cannot be read as the next: a test finds it before anybody meets it."""


def upcast(name: str, version: int, *, into: dict[tuple[str, int], Upcast] = UPCASTS) -> Callable[[Upcast], Upcast]:
    """Enter a function from the data of `name` version `version` to that of the next. It may change what it is given.

    Raises ValueError for a second one.
    """

    def enter(step: Upcast) -> Upcast:
        if (name, version) in into:
            raise ValueError(f"{name} version {version} is upcast twice")
        into[name, version] = step
        return step

    return enter


def newest(event: Envelope, *, steps: Steps = UPCASTS, catalogue: Catalogue = CATALOGUE) -> Envelope:
    """The event in the newest version of its type; itself when it is that, or an echo, or newer than the catalogue.

    Raises NoUpcast, and whatever an upcast raises.
    """
    if event.superseded_by is not None:
        return event
    while (event.type, event.version + 1) in catalogue:
        step = steps.get((event.type, event.version))
        if step is None:
            raise NoUpcast(f"{event.type} from version {event.version} to {event.version + 1}")
        event = replace(event, version=event.version + 1, data=step(dict(event.data)))
    return event


def missing(*, steps: Steps = UPCASTS, catalogue: Catalogue = CATALOGUE) -> list[tuple[str, int]]:
    """The versions that nobody can read as the next."""
    return sorted(
        (name, version)
        for name, version in catalogue
        if (name, version + 1) in catalogue and (name, version) not in steps
    )
