"""From a wish to a booking that could be made now: rules asked, price and cover computed, units found. Writes nothing.

Quoting stops here; making and moving go on to take the units. So a quote can promise nothing that making would not do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.booking import rules
from app.booking.alternatives import alternatives
from app.booking.cancellation import terms_to_json
from app.booking.catalogue.offers import Offer, quote_price
from app.booking.cover import cover_of
from app.booking.prices import Price
from app.booking.situation import NOBODY, Situation, look
from app.booking.wishes import MONEY, Wish
from app.errors import Invalid, Refused, SlotTaken
from app.network.people import Person

PEOPLE_COUNT_IN = ("room", "office")


@dataclass(frozen=True, slots=True)
class Line:
    """One resource of a booking and its price."""

    situation: Situation
    price: Price


@dataclass(frozen=True, slots=True)
class Plan:
    """A booking that could be made: the resource first, then its extras, each with the units free for it."""

    wish: Wish
    start: datetime
    end: datetime
    lines: tuple[Line, ...]
    price: Price
    cover: list[dict[str, Any]]

    @property
    def situation(self) -> Situation:
        return self.lines[0].situation

    @property
    def offer(self) -> Offer:
        return self.lines[0].situation.offer

    @property
    def status(self) -> str:
        """Pending where the space wants to approve; what staff book needs no approval."""
        return "pending" if self.offer.rules.approval and not self.situation.standing.is_staff else "confirmed"

    def terms(self) -> dict[str, Any]:
        """What freezes in the booking beside its price."""
        own = self.offer.rules
        return {
            "cancellation": terms_to_json(self.offer.cancellation),
            "no_show_after_minutes": own.no_show_after_minutes,
            "buffers": [own.buffer_before_minutes, own.buffer_after_minutes],
        }

    def units(self, main: Sequence[int]) -> list[int]:
        """`main` (units of the resource) and the best unit of each extra."""
        return [*main, *(line.situation.free_units[0] for line in self.lines[1:])]


def plan(
    session: Session, wish: Wish, *, person: Person, now: datetime, start: datetime | None = None,
    end: datetime | None = None, but: int = NOBODY,
) -> Plan:  # fmt: skip
    """The plan for `wish`, or for another `[start, end)` of it (a date of a recurrence).

    Raises NotFound, Invalid, Refused with rule, limit and alternatives, or SlotTaken with alternatives. `but` is a
    booking that does not count against the person: the one being moved.
    """
    start, end = start or wish.start, end or wish.end
    main = look(session, resource_uid=wish.resource_id, person=person, start=start, end=end, but=but)
    try:
        _check(main, wish, start=start, end=end, now=now)
        extras = [_extra(session, main, uid, person=person, start=start, end=end, but=but) for uid in wish.extras]
        lines = tuple(Line(each, _price(each, start, end)) for each in (main, *extras))
        cover = _cover(lines, wish, start, end)
        _check_room(lines)
    except (Refused, SlotTaken) as refusal:
        refusal.facts["alternatives"] = _alternatives(session, main, wish, person, start, end, now, but)
        raise
    return Plan(wish, start, end, lines, _total(lines), cover)


def _check(situation: Situation, wish: Wish, *, start: datetime, end: datetime, now: datetime) -> None:
    offer = situation.offer
    rules.check(offer.rules, offer.hours, situation.standing, start=start, end=end, now=now)
    if offer.kind in PEOPLE_COUNT_IN and len(wish.attendees) > offer.capacity:
        raise Refused(rule="capacity", limit=offer.capacity)


def _extra(
    session: Session, main: Situation, uid: UUID, *, person: Person, start: datetime, end: datetime, but: int
) -> Situation:
    extra = look(session, resource_uid=uid, person=person, start=start, end=end, but=but)
    if extra.offer.kind != "equipment" or extra.offer.space_id != main.offer.space_id:
        raise Invalid.field("extras", "name equipment of the same space")
    return extra


def _price(situation: Situation, start: datetime, end: datetime) -> Price:
    return quote_price(situation.offer, start=start, end=end, audience=situation.audience)


def _cover(lines: tuple[Line, ...], wish: Wish, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Credits are for the resource; extras are paid in money."""
    main, *extras = lines
    cover = cover_of(main.situation, main.price, start=start, end=end, sources=wish.cover)
    owed = sum(line.price.gross_cents for line in extras)
    if not owed:
        return cover
    paid = next((part for part in cover if part["source"] == MONEY), None)
    if paid is None:
        return [*cover, {"source": MONEY, "amount": {"amount_cents": owed, "currency": main.price.currency}}]
    paid["amount"]["amount_cents"] += owed
    return cover


def _check_room(lines: Iterable[Line]) -> None:
    for line in lines:
        if not line.situation.free_units:
            raise SlotTaken(resource_id=str(line.situation.offer.resource_uid))


def _total(lines: tuple[Line, ...]) -> Price:
    prices = [line.price for line in lines]
    return Price(
        sum(price.gross_cents for price in prices),
        sum(price.net_cents for price in prices),
        sum(price.vat_cents for price in prices),
        prices[0].currency,
        prices[0].rate_permille,
    )


def _alternatives(
    session: Session,
    main: Situation,
    wish: Wish,
    person: Person,
    start: datetime,
    end: datetime,
    now: datetime,
    but: int,
) -> list[dict[str, Any]]:
    people = max(1, len(wish.attendees)) if main.offer.kind in PEOPLE_COUNT_IN else 1
    return alternatives(
        session, main, member_id=person.member_id, start=start, end=end, now=now, people=people, but=but
    )


def taken(session: Session, made: Plan, *, person: Person, now: datetime, but: int = NOBODY) -> SlotTaken:
    """The error for a plan whose units went to somebody else between the look and the claim."""
    found = _alternatives(session, made.situation, made.wish, person, made.start, made.end, now, but)
    return SlotTaken(resource_id=str(made.offer.resource_uid), alternatives=found)
