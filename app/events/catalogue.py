"""Every domain event: a past-tense fact of primitives, named and versioned.

An additive change is an optional field or a further code; anything else is a new version, published beside the old one
until nobody reads it (app.events.upcasting). Payloads carry ids, amounts, dates and codes, never names, e-mail
addresses or titles: events outlive erasure. What a field means is in app.events.meanings, or in the event's `says`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from app.events.meanings import ALTERNATIVE, Meaning, cents, code, codes, id_of, ids_of, instant, objects


class DomainEvent:
    """What the outbox takes. The class variables are set by `@event`."""

    type: ClassVar[str]
    version: ClassVar[int]
    aggregate_type: ClassVar[str]
    publisher: ClassVar[str]
    says: ClassVar[Mapping[str, Meaning]]


CATALOGUE: dict[tuple[str, int], type[DomainEvent]] = {}
Fact = TypeVar("Fact", bound=type[DomainEvent])


def event(
    name: str,
    *,
    version: int,
    aggregate: str,
    by: str = "",
    says: Mapping[str, Meaning] | None = None,
    into: dict[tuple[str, int], type[DomainEvent]] = CATALOGUE,
) -> Callable[[Fact], Fact]:
    """Enter a frozen dataclass in the catalogue as `name` version `version`, about one kind of aggregate.

    `by` is the module under `app` that publishes it; `says` are the meanings of fields that are this event's own.
    Raises ValueError for a version that is there already, and for a meaning without a field.
    """

    def enter(fact: Fact) -> Fact:
        fact.type, fact.version, fact.aggregate_type, fact.publisher = name, version, aggregate, by
        fact.says = says or {}
        if (name, version) in into:
            raise ValueError(f"{name} version {version} is in the catalogue twice")
        if unknown := fact.says.keys() - {each.name for each in fields(fact)}:  # type: ignore[arg-type]
            raise ValueError(f"{name} version {version} explains {sorted(unknown)}, which it does not have")
        into[name, version] = fact
        return fact

    return enter


@event("booking.made", version=1, aggregate="booking", by="booking.making")
@dataclass(frozen=True, slots=True)
class BookingMade(DomainEvent):
    """A place was taken: the booking is confirmed, or pending approval, or held (see `status`)."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    status: str
    start: str
    end: str
    gross_cents: int
    net_cents: int
    vat_cents: int
    currency: str
    cover: list[dict[str, Any]]
    series_id: str | None = None
    payer_id: str | None = None
    resource_kind: str | None = None
    vat: dict[str, Any] | None = None


@event(
    "booking.moved",
    version=1,
    aggregate="booking",
    by="booking.moving",
    says={
        "previous_resource_id": id_of("a resource", "The resource that was booked before."),
        "previous_start": instant("When the booking began before the move."),
        "previous_end": instant("When the booking ended before the move.", "2026-03-02T16:00:00Z"),
        "change_fee_cents": cents(
            "Owed beside the price, whatever becomes of the booking, for what its member gave up of it too late.", 0
        ),
    },
)
@dataclass(frozen=True, slots=True)
class BookingMoved(DomainEvent):
    """The booking is now at another time or on another resource, at the price shown."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    start: str
    end: str
    previous_resource_id: str
    previous_start: str
    previous_end: str
    gross_cents: int
    net_cents: int
    vat_cents: int
    currency: str
    cover: list[dict[str, Any]]
    status: str | None = None
    payer_id: str | None = None
    resource_kind: str | None = None
    vat: dict[str, Any] | None = None
    change_fee_cents: int = 0


@event(
    "booking.cancelled",
    version=1,
    aggregate="booking",
    by="booking.cancelling",
    says={
        "reason": code(
            "Who or what cancelled it; `expired` is a hold or request that nobody settled in time.",
            "member",
            "staff",
            "closure",
            "expired",
        ),
        "fee_cents": cents("What the member owes all the same, under the terms frozen in the booking.", 0),
        "alternatives": objects("What is offered to somebody displaced by a closure; else null.", ALTERNATIVE),
    },
)
@dataclass(frozen=True, slots=True)
class BookingCancelled(DomainEvent):
    """The booking is off and its place is free again."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    reason: str
    fee_cents: int
    currency: str
    returned: list[dict[str, Any]]
    alternatives: list[dict[str, Any]] | None = None


@event(
    "booking.edited",
    version=1,
    aggregate="booking",
    by="booking.moving",
    says={"fields": codes("The names of the booking's fields, as in the API, that changed.", "attendees", "title")},
)
@dataclass(frozen=True, slots=True)
class BookingEdited(DomainEvent):
    """What people see of the booking changed, but neither its time nor its place nor its price."""

    booking_id: str
    space_id: str
    member_id: str
    fields: list[str]


@event("booking.approved", version=1, aggregate="booking", by="booking.deciding")
@dataclass(frozen=True, slots=True)
class BookingApproved(DomainEvent):
    """A pending request was confirmed by the space."""

    booking_id: str
    space_id: str
    member_id: str


@event(
    "booking.refused",
    version=1,
    aggregate="booking",
    by="booking.deciding",
    says={
        "fee_cents": cents(
            "What the member owes all the same, who had moved it too late; its credits are then not given back.", 0
        ),
    },
)
@dataclass(frozen=True, slots=True)
class BookingRefused(DomainEvent):
    """A pending request was refused by the space; the place is free again and all cover was given back."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    returned: list[dict[str, Any]]
    fee_cents: int = 0
    currency: str | None = None


@event("booking.accepted", version=1, aggregate="booking", by="booking.deciding")
@dataclass(frozen=True, slots=True)
class BookingAccepted(DomainEvent):
    """A hold (for instance a place offered from the waiting list) was taken up by its member."""

    booking_id: str
    space_id: str
    member_id: str
    status: str | None = None


@event(
    "booking.checked_in",
    version=1,
    aggregate="booking",
    by="booking.deciding",
    says={"at": instant("When the member arrived.")},
)
@dataclass(frozen=True, slots=True)
class BookingCheckedIn(DomainEvent):
    """The member arrived."""

    booking_id: str
    space_id: str
    member_id: str
    at: str


@event("booking.completed", version=1, aggregate="booking", by="booking.deciding")
@dataclass(frozen=True, slots=True)
class BookingCompleted(DomainEvent):
    """The booking's time is over and it was used, or nobody had to check in."""

    booking_id: str
    space_id: str
    member_id: str


@event("booking.no_show", version=1, aggregate="booking", by="booking.deciding")
@dataclass(frozen=True, slots=True)
class BookingNoShow(DomainEvent):
    """Nobody came within the grace time: the rest of the period is free again, the price stays due."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str


@event(
    "waitlist.offered",
    version=1,
    aggregate="waitlist_entry",
    by="booking.waiting",
    says={
        "waitlist_entry_id": id_of("a waiting-list entry", "The entry whose turn it is."),
        "booking_id": id_of("a booking", "The hold: a booking with status `held`."),
        "expires_at": instant("Until when the hold can be accepted, not included.", "2026-03-02T10:00:00Z"),
    },
)
@dataclass(frozen=True, slots=True)
class WaitlistOffered(DomainEvent):
    """A place became free and is held, until `expires_at`, for the first who waits for it."""

    waitlist_entry_id: str
    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    expires_at: str


@event(
    "space.closed",
    version=1,
    aggregate="space",
    by="booking.closing",
    says={
        "closure_id": id_of("a closure", "The closure."),
        "kind": code("Why it is closed.", "closure", "maintenance"),
        "start": instant("When the closure begins, included."),
        "end": instant("When the closure ends, not included.", "2026-03-03T08:00:00Z"),
        "unit_ids": ids_of("a unit", "What is closed."),
        "displaced": ids_of("a booking", "The bookings it cancelled; each has an event of its own."),
    },
)
@dataclass(frozen=True, slots=True)
class SpaceClosed(DomainEvent):
    """A closure or maintenance was published, and the bookings in its way were cancelled."""

    space_id: str
    closure_id: str
    kind: str
    start: str
    end: str
    unit_ids: list[str]
    displaced: list[str]


@event(
    "space.reopened",
    version=1,
    aggregate="space",
    by="booking.closing",
    says={"closure_id": id_of("a closure", "The closure that was lifted.")},
)
@dataclass(frozen=True, slots=True)
class SpaceReopened(DomainEvent):
    """A closure or maintenance was lifted before its end."""

    space_id: str
    closure_id: str


@event(
    "webhook.disabled",
    version=1,
    aggregate="webhook",
    by="webhooks.disabling",
    says={
        "webhook_id": id_of("a webhook", "The subscription that is disabled."),
        "operator_id": id_of("an operator", "The operator it belongs to; null when it is a network's."),
        "network_id": id_of("a network", "The network it belongs to; null when it is an operator's."),
        "reason": code("What happened: the receiver answered 410, or failed for days on end.", "gone", "failing"),
        "failing_since": instant("Since when no delivery has succeeded; null when it answered 410."),
    },
)
@dataclass(frozen=True, slots=True)
class WebhookDisabled(DomainEvent):
    """Nothing is sent to this receiver any more."""

    webhook_id: str
    operator_id: str | None
    network_id: str | None
    reason: str
    failing_since: str | None = None
