"""From a wish to a booking that could be made now: rules asked, price and cover computed, units found. Writes nothing.

Quoting stops here; making and moving go on to take the units. So a quote can promise nothing that making would not do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.booking import rules
from app.booking.alternatives import Candidate, Closing, alternatives
from app.booking.cancellation import Terms, terms_to_json
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.pricing import letting_of, quote_price
from app.booking.catalogue.remembering import offer_of
from app.booking.cover import Cover, cover_of, money_cents, with_money
from app.booking.describing import letting_shape
from app.booking.prices import Price
from app.booking.promises import Promised
from app.booking.rules import Standing
from app.booking.situation import NOBODY, Situation, look
from app.booking.wishes import Wish
from app.errors import Invalid, NotFound, Refused, SlotTaken
from app.network.credits import Drawn
from app.network.people import Person

PEOPLE_COUNT_IN = ("room", "office")


@dataclass(frozen=True, slots=True)
class Line:
    """One resource of a booking and its price."""

    situation: Situation
    price: Price
    full_price: Price | None = None
    """Before the plan's discount, where there is one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A booking that could be made: the resource first, then its extras, each with the units free for it."""

    wish: Wish
    start: datetime
    end: datetime
    lines: tuple[Line, ...]
    price: Price
    cover: list[dict[str, Any]]
    drawn: tuple[Drawn, ...] = ()
    promised: Promised | None = None

    @property
    def situation(self) -> Situation:
        return self.lines[0].situation

    @property
    def offer(self) -> Offer:
        return self.lines[0].situation.offer

    @property
    def status(self) -> str:
        """Held until it is paid, where the space wants that first; pending where it wants to approve. What staff book
        needs neither."""
        if self.pays_first:
            return "held"
        return "pending" if self.needs_approval else "confirmed"

    @property
    def needs_approval(self) -> bool:
        return self.offer.rules.approval and not self.situation.standing.is_staff

    @property
    def pays_first(self) -> bool:
        """Whether money is to come before it is confirmed. Not where a team or an employer pays: they are invoiced."""
        asked = self.offer.rules.pay_first and not self.situation.standing.is_staff
        return asked and self.situation.payer is None and money_cents(self.cover) > 0

    def terms(self) -> dict[str, Any]:
        """What freezes in the booking beside its price."""
        own = self.offer.rules
        return {
            "cancellation": terms_to_json(self.cancellation),
            "no_show_after_minutes": own.no_show_after_minutes,
            "buffers": [own.buffer_before_minutes, own.buffer_after_minutes],
            "sources": list(self.wish.cover),
            **({"letting": self.letting} if self.letting else {}),
        }

    @property
    def letting(self) -> dict[str, Any] | None:
        """Of an office that is let: the facts of the letting and how its VAT was decided; None for a service."""
        letting, vat = letting_of(self.offer, self.start, self.end), self.lines[0].price.vat
        return letting_shape(letting, vat) if letting and vat else None

    @property
    def cancellation(self) -> Terms:
        return self.promised.cancellation if self.promised else self.situation.cancellation

    def units(self, main: Sequence[int]) -> list[int]:
        """`main` (units of the resource) and the best unit of each extra."""
        return [*main, *(line.situation.free_units[0] for line in self.lines[1:])]


def plan(
    session: Session, wish: Wish, *, person: Person, now: datetime, start: datetime | None = None,
    end: datetime | None = None, but: int = NOBODY, seek_alternatives: bool = True, promised: Promised | None = None,
) -> Plan:  # fmt: skip
    """The plan for `wish`, or for another `[start, end)` of it (a date of a recurrence).

    Raises NotFound, Invalid, Refused with rule, limit and alternatives, or SlotTaken with alternatives; the list is
    empty unless `seek_alternatives`. `but` is a booking that does not count against the person: the one being moved.
    What a quote `promised` of this date holds: prices, terms and cover.
    """
    wish = replace(wish, start=start or wish.start, end=end or wish.end)
    if wish.end <= wish.start:
        raise Invalid.field("end", "must be after start")
    main = look(session, resource_uid=wish.resource_id, person=person, start=wish.start, end=wish.end, but=but)
    try:
        return _plan(session, main, wish, person=person, now=now, but=but, promised=promised)
    except (Refused, SlotTaken) as refusal:
        sought = instead(session, main, wish, person=person, now=now, but=but) if seek_alternatives else []
        refusal.facts["alternatives"] = sought
        raise


def plan_or_none(session: Session, wish: Wish, *, person: Person, now: datetime, but: int = NOBODY) -> Plan | None:
    """The plan, or None where `plan` would raise, without looking for alternatives."""
    try:
        main = look(session, resource_uid=wish.resource_id, person=person, start=wish.start, end=wish.end, but=but)
        return _plan(session, main, wish, person=person, now=now, but=but)
    except (Invalid, NotFound, Refused, SlotTaken):
        return None


def _plan(
    session: Session, main: Situation, wish: Wish, *, person: Person, now: datetime, but: int,
    promised: Promised | None = None,
) -> Plan:  # fmt: skip
    _keep_rules(main, wish, now=now, but=but)
    check_people(main.offer.kind, main.offer.capacity, wish.attendees)
    extras = [_extra(session, main, uid, wish, person=person, now=now, but=but) for uid in wish.extras]
    lines = tuple(_lines((main, *extras), wish, promised))
    cover = (promised and promised.cover_from(main.balances)) or _cover(lines, wish)
    _check_room(lines)
    return Plan(wish, wish.start, wish.end, lines, _total(lines), cover.parts, cover.drawn, promised)


def _keep_rules(situation: Situation, wish: Wish, *, now: datetime, but: int) -> None:
    offer = situation.offer
    rules.check(offer.rules, offer.hours, _standing(situation, but), start=wish.start, end=wish.end, now=now)


def _standing(situation: Situation, but: int) -> Standing:
    """Who is suspended books nothing new; what they have booked they may move."""
    return situation.standing if but == NOBODY else replace(situation.standing, suspended_since=None)


def check_people(kind: str, capacity: int, attendees: Sequence[str]) -> None:
    """Raises Refused (rule capacity): a room holds so many people, whoever booked it."""
    if kind in PEOPLE_COUNT_IN and len(attendees) > capacity:
        raise Refused(rule="capacity", limit=capacity)


def _extra(
    session: Session, main: Situation, uid: UUID, wish: Wish, *, person: Person, now: datetime, but: int
) -> Situation:
    """Equipment that comes along: by its own rules, for as long as the main resource with its buffers."""
    extra = look(
        session, resource_uid=uid, person=person, start=wish.start, end=wish.end, but=but, buffers_of=main.offer.rules
    )
    if extra.offer.kind != "equipment" or extra.offer.space_id != main.offer.space_id:
        raise Invalid.field("extras", "name equipment of the same space")
    try:
        _keep_rules(extra, wish, now=now, but=but)
    except Refused as refusal:
        refusal.facts["resource_id"] = str(uid)  # whose rule it is
        raise
    return extra


def _lines(situations: Sequence[Situation], wish: Wish, promised: Promised | None) -> Iterator[Line]:
    if promised is not None:
        yield from (Line(each, price) for each, price in zip(situations, promised.prices, strict=True))
        return
    main: Price | None = None
    for situation in situations:
        line = _line(situation, wish, as_part_of=main)
        main = main or line.price
        yield line


def _line(situation: Situation, wish: Wish, *, as_part_of: Price | None) -> Line:
    """At the list's price, less what the person's plan takes off it."""
    full = quote_price(
        situation.offer, start=wish.start, end=wish.end, audience=situation.audience, customer=situation.customer,
        as_part_of=as_part_of,
    )  # fmt: skip
    if situation.discount is None or not full.gross_cents:
        return Line(situation, full)
    less = quote_price(
        situation.offer, start=wish.start, end=wish.end, audience=situation.audience, customer=situation.customer,
        as_part_of=as_part_of, percent_off=situation.discount.percent,
    )  # fmt: skip
    return Line(situation, less, full)


def _cover(lines: tuple[Line, ...], wish: Wish) -> Cover:
    """Credits are for the resource; extras are paid in money."""
    main, *extras = lines
    cover = cover_of(main.situation, main.price, start=wish.start, end=wish.end, sources=wish.cover)
    owed = sum(line.price.gross_cents for line in extras)
    return replace(cover, parts=with_money(cover.parts, owed, main.price.currency))


def _check_room(lines: Iterable[Line]) -> None:
    for line in lines:
        if not line.situation.free_units:
            raise SlotTaken(resource_id=str(line.situation.offer.resource_uid))


def _total(lines: tuple[Line, ...]) -> Price:
    """The sum, with the currency and the VAT of the first line that costs anything."""
    prices = [line.price for line in lines]
    leading = next((price for price in prices if price.vat), prices[0])
    return replace(
        leading,
        gross_cents=sum(price.gross_cents for price in prices),
        net_cents=sum(price.net_cents for price in prices),
        vat_cents=sum(price.vat_cents for price in prices),
    )


def instead(
    session: Session, main: Situation, wish: Wish, *, person: Person, now: datetime, but: int = NOBODY,
    closing: Closing | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """What `person` could book instead of `wish`, with its extras, guests and cover: each has been planned."""
    try:
        extras = [offer_of(session, uid) for uid in wish.extras]
    except NotFound:
        return []

    if closing is None:  # what a closure displaces is not moved: something else is booked
        main = replace(main, standing=_standing(main, but))

    def works(candidate: Candidate) -> bool:
        other = replace(
            wish, resource_id=candidate.offer.resource_uid, start=candidate.start, end=candidate.end, recurrence=None
        )
        return plan_or_none(session, other, person=person, now=now, but=but) is not None

    return alternatives(
        session, main, member_id=person.member_id, start=wish.start, end=wish.end, now=now, works=works,
        people=max(1, len(wish.attendees)) if main.offer.kind in PEOPLE_COUNT_IN else 1, extras=extras, but=but,
        closing=closing,
    )  # fmt: skip


def taken(session: Session, made: Plan, *, person: Person, now: datetime, but: int = NOBODY) -> SlotTaken:
    """The error for a plan whose units went to somebody else between the look and the claim."""
    found = instead(session, made.situation, made.wish, person=person, now=now, but=but)
    return SlotTaken(resource_id=str(made.offer.resource_uid), alternatives=found)
