"""Every domain event: a past-tense fact of primitives, named and versioned.

An additive change is an optional field; anything else is a new version, published beside the old one until nobody reads
it. Payloads carry ids, amounts, dates and codes, never names, e-mail addresses or titles: events outlive erasure.
Ids are public UUIDs as text, instants RFC 3339 in UTC, amounts integer cents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar


class DomainEvent:
    """What the outbox takes: `type`, `version` and `aggregate_type` are set by `@event`."""

    type: ClassVar[str]
    version: ClassVar[int]
    aggregate_type: ClassVar[str]


CATALOGUE: dict[tuple[str, int], type[DomainEvent]] = {}
Fact = TypeVar("Fact", bound=type[DomainEvent])


def event(name: str, *, version: int, aggregate: str) -> Callable[[Fact], Fact]:
    """Enter a frozen dataclass in the catalogue as `name` version `version`, about one kind of aggregate."""

    def enter(fact: Fact) -> Fact:
        fact.type, fact.version, fact.aggregate_type = name, version, aggregate
        if (name, version) in CATALOGUE:
            raise ValueError(f"{name} version {version} is in the catalogue twice")
        CATALOGUE[name, version] = fact
        return fact

    return enter


@event("booking.made", version=1, aggregate="booking")
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


@event("booking.moved", version=1, aggregate="booking")
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


@event("booking.cancelled", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingCancelled(DomainEvent):
    """The place is free again. `reason` is member, staff, closure, expired (a hold or request nobody settled);
    `fee_cents` is owed under the terms frozen in the booking; `returned` is the cover given back; `alternatives` are
    offered to somebody displaced by a closure: `[{resource_id, start, end}]`."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    reason: str
    fee_cents: int
    currency: str
    returned: list[dict[str, Any]]
    alternatives: list[dict[str, Any]] | None = None


@event("booking.edited", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingEdited(DomainEvent):
    """What people see of the booking changed, but neither its time nor its place nor its price; `fields` says what."""

    booking_id: str
    space_id: str
    member_id: str
    fields: list[str]


@event("booking.approved", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingApproved(DomainEvent):
    """A pending request was confirmed by the space."""

    booking_id: str
    space_id: str
    member_id: str


@event("booking.refused", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingRefused(DomainEvent):
    """A pending request was refused by the space; the place is free again and all cover was given back."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    returned: list[dict[str, Any]]


@event("booking.accepted", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingAccepted(DomainEvent):
    """A hold (for instance a place offered from the waiting list) was taken up by its member."""

    booking_id: str
    space_id: str
    member_id: str


@event("booking.checked_in", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingCheckedIn(DomainEvent):
    """The member arrived."""

    booking_id: str
    space_id: str
    member_id: str
    at: str


@event("booking.completed", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingCompleted(DomainEvent):
    """The booking's time is over and it was used, or nobody had to check in."""

    booking_id: str
    space_id: str
    member_id: str


@event("booking.no_show", version=1, aggregate="booking")
@dataclass(frozen=True, slots=True)
class BookingNoShow(DomainEvent):
    """Nobody came within the grace time: the rest of the period is free again, the price stays due."""

    booking_id: str
    space_id: str
    resource_id: str
    member_id: str


@event("waitlist.offered", version=1, aggregate="waitlist_entry")
@dataclass(frozen=True, slots=True)
class WaitlistOffered(DomainEvent):
    """A place became free and is held, until `expires_at`, for the first who waits for it."""

    waitlist_entry_id: str
    booking_id: str
    space_id: str
    resource_id: str
    member_id: str
    expires_at: str


@event("space.closed", version=1, aggregate="space")
@dataclass(frozen=True, slots=True)
class SpaceClosed(DomainEvent):
    """A closure or maintenance was published; `displaced` are the bookings it cancelled."""

    space_id: str
    closure_id: str
    kind: str
    start: str
    end: str
    unit_ids: list[str]
    displaced: list[str]


@event("space.reopened", version=1, aggregate="space")
@dataclass(frozen=True, slots=True)
class SpaceReopened(DomainEvent):
    """A closure or maintenance was lifted before its end."""

    space_id: str
    closure_id: str
