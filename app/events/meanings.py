"""What the fields of events mean: the words that every event shares, and the notation for an event's own.

A field that goes by the same name in several events means the same in all of them and is described once, in SHARED;
what an event means by a name of its own, it says in `@event(..., says={...})`. Meanings are part of a version, like
types and units: another meaning under an old name is a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INSTANT = "RFC 3339 instant in UTC"
CENTS = "cents of `currency`"
CODE = "code"
SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
SOME_INSTANT = "2026-03-02T08:00:00Z"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one field says. `type` is its Python type without `| None`; `unit` is what a value counts in or names.

    `codes` are the values known today: more may come, none goes. `parts` are the fields of each object in it, and
    `optional` says of such a part that it may be missing.
    """

    text: str
    type: str = "str"
    unit: str = ""
    example: Any = "text"
    codes: tuple[str, ...] = ()
    parts: Mapping[str, Meaning] = field(default_factory=dict)
    optional: bool = False

    @property
    def is_id(self) -> bool:
        return self.unit.startswith("id of ")


def id_of(what: str, text: str) -> Meaning:
    """The public id, a UUID, of `what`: the same that the HTTP API calls `id`."""
    return Meaning(text, unit=f"id of {what}", example=SOME_ID)


def ids_of(what: str, text: str) -> Meaning:
    return Meaning(text, type="list[str]", unit=f"id of {what}", example=[SOME_ID])


def instant(text: str, example: str = SOME_INSTANT) -> Meaning:
    return Meaning(text, unit=INSTANT, example=example)


def cents(text: str, example: int) -> Meaning:
    return Meaning(text, type="int", unit=CENTS, example=example)


def code(text: str, *codes: str) -> Meaning:
    return Meaning(text, unit=CODE, example=codes[0], codes=codes)


def codes(text: str, *known: str) -> Meaning:
    """A list of codes."""
    return Meaning(text, type="list[str]", unit=CODE, example=list(known), codes=known)


def objects(text: str, parts: Mapping[str, Meaning]) -> Meaning:
    """A list of objects with these parts."""
    whole = {name: part.example for name, part in parts.items()}
    return Meaning(text, type="list[dict[str, Any]]", example=[whole], parts=parts)


_CURRENCY = Meaning("The currency of the amounts beside it.", unit="ISO 4217 code", example="EUR")
_AMOUNT = {"amount_cents": cents("The part of the price that this source covers.", 2420), "currency": _CURRENCY}
_COVER = {
    "source": code("Where it comes from: credits of the member's plan, or money.", "credit", "money"),
    "amount": Meaning(
        "Its share of the gross price.",
        type="dict[str, Any]",
        example={name: part.example for name, part in _AMOUNT.items()},
        parts=_AMOUNT,
    ),
    "minutes": Meaning(
        "How much of the booked time it covers, unless it is money.",
        type="int",
        unit="minutes",
        example=240,
        optional=True,
    ),
}
ALTERNATIVE = {
    "resource_id": id_of("a resource", "Where it would be."),
    "start": instant("When it would begin, included."),
    "end": instant("When it would end, not included.", "2026-03-02T16:00:00Z"),
}
_STATUSES = ("confirmed", "pending", "held", "checked_in", "completed", "cancelled", "refused", "no_show")

SHARED: dict[str, Meaning] = {
    "booking_id": id_of("a booking", "The booking."),
    "space_id": id_of("a space", "The space where it happens."),
    "resource_id": id_of("a resource", "The resource that is booked."),
    "member_id": id_of("a member", "The person whose booking it is."),
    "series_id": id_of("a series", "The recurrence that the booking is one of; null for a single one."),
    "status": code("The booking's status from now on.", *_STATUSES),
    "start": instant("When the booking begins, included."),
    "end": instant("When the booking ends, not included.", "2026-03-02T16:00:00Z"),
    "gross_cents": cents("The price, with VAT.", 2420),
    "net_cents": cents("The price, without VAT.", 2000),
    "vat_cents": cents("The VAT in the price.", 420),
    "currency": _CURRENCY,
    "cover": objects("What pays for the booking; the amounts sum to the gross price.", _COVER),
    "returned": objects("The parts of the cover that were given back to where they came from.", _COVER),
}
