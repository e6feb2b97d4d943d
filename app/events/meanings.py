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


VAT = {
    "permille": Meaning("The rate.", type="int", unit="thousandths", example=210),
    "category": code("The category of EN 16931 (UNCL 5305).", "S", "E", "O", "AE", "Z", "G", "K"),
    "ground": Meaning("The legal ground.", example="Code de la TVA, art. 2 et 18"),
    "mention": Meaning("The code of the mention that a document must carry, if any.", example="reverse_charge"),
    "includes_vat": Meaning("Whether the price was agreed with VAT in it.", type="bool", example=False),
}
_CURRENCY = Meaning("The currency of the amounts beside it.", unit="ISO 4217 code", example="EUR")
FEE = {
    "kind": code(
        "What it is for; `cycle` a cycle's fee, `adjustment` what changed in a cycle already asked for.",
        "cycle",
        "adjustment",
        "deposit",
        "deposit_return",
    ),
    "plan_version_id": id_of("a plan version", "The version of the plan that the price comes from."),
    "from_day": Meaning("The first day it is for.", unit="ISO 8601 calendar day", example="2026-03-01"),
    "until_day": Meaning("The last day it is for, counted.", unit="ISO 8601 calendar day", example="2026-03-31"),
    "days": Meaning("How many days that is.", type="int", unit="days", example=31),
    "of_days": Meaning("How many days the whole cycle has.", type="int", unit="days", example=31),
    "gross_cents": cents("What is owed, with VAT; negative is owed back.", 14520),
    "net_cents": cents("What is owed, without VAT.", 12000),
    "vat_cents": cents("The VAT in it.", 2520),
    "currency": _CURRENCY,
    "vat": Meaning(
        "How VAT was decided.",
        type="dict[str, Any]",
        example={name: part.example for name, part in VAT.items()},
        parts=VAT,
    ),
}
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
    "payer_id": id_of("a party", "Who pays what money covers; null is the member as a private person."),
    "resource_kind": code("What kind of thing is booked.", "desk_pool", "desk", "room", "office", "equipment"),
    "vat": Meaning(
        "How VAT was decided when the price was.",
        type="dict[str, Any]",
        example={name: part.example for name, part in VAT.items()},
        parts=VAT,
    ),
}
