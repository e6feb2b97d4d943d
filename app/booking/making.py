"""Making a booking: plan it, take its units, draw its credits, record the fact. One transaction, few statements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.booking import occupying, rules
from app.booking.catalogue.remembering import known_offer
from app.booking.describing import Names, describe, vat_shape
from app.booking.planning import Plan, plan, taken
from app.booking.promises import Promised
from app.booking.quotes import promised
from app.booking.wishes import Wish
from app.events.catalogue import BookingMade
from app.events.envelope import instant
from app.events.outbox import insert_event
from app.ids import new_id
from app.network import credits
from app.network.people import Person


@dataclass(frozen=True, slots=True)
class Made:
    """A booking just made: its row as inserted, its internal id, and the plan it came from."""

    id: int
    row: dict[str, Any]
    plan: Plan
    series_uid: UUID | None = None

    def describe(self) -> dict[str, Any]:
        offers = [line.situation.offer for line in self.plan.lines]
        known = {unit_id: unit for offer in offers for unit_id, unit in offer.units.items()}
        names = Names(
            space_uid=offers[0].space_uid,
            resource_uid=offers[0].resource_uid,
            units=[known[unit_id] for unit_id in self.row["units"]],
            extras=[offer.resource_uid for offer in offers[1:]],
            series_uid=self.series_uid,
        )
        return describe(SimpleNamespace(**self.row, **_UNTOUCHED), names, now=self.row["now"])


TIME_TO_PAY = timedelta(minutes=30)  # the least that a provider's page stays open

# What a booking just made has not got yet.
_UNTOUCHED = {"fee_cents": 0, "reason": None, "checked_in_at": None, "revision": 0}


def make_booking(session: Session, wish: Wish, *, person: Person, now: datetime, quote_id: UUID | None = None) -> Made:
    """Book `wish` for `person`, at the price and under the terms of the quote, where one is given.

    Raises NotFound, Invalid, Refused (a rule), or SlotTaken; the last two carry alternatives that would succeed.
    """
    held_to = promised(session, quote_id, wish, person=person, now=now).get(wish.start)
    planned = _planned_under_lock(session, wish, person=person, now=now, held_to=held_to)
    if needs_units_locked(planned):
        occupying.lock_units(session, units_within_reach(planned))
        planned = plan(session, wish, person=person, now=now, promised=held_to)
    made = take(session, planned, person=person, now=now)
    insert_event(session, fact_of(made), aggregate_id=made.row["uid"], seq=1, at=now)
    return made


def _planned_under_lock(
    session: Session, wish: Wish, *, person: Person, now: datetime, held_to: Promised | None
) -> Plan:
    """The plan, with the person and every membership it draws on locked: also one that has only just begun."""
    space_id = known_offer(session, wish.resource_id).space_id
    while True:
        locked = occupying.lock_person(session, person.member_id, space_id=space_id)
        planned = plan(session, wish, person=person, now=now, promised=held_to)
        if all(drawn.membership_id in locked for drawn in planned.drawn):
            return planned


def needs_units_locked(planned: Plan) -> bool:
    """A claim of several units stands in line for all of them first (see occupying)."""
    return (planned.offer.takes == "all" and len(planned.offer.unit_ids) > 1) or len(planned.lines) > 1


def units_within_reach(planned: Plan) -> list[int]:
    return [unit_id for line in planned.lines for unit_id in line.situation.offer.unit_ids]


def take(
    session: Session, planned: Plan, *, person: Person, now: datetime, status: str | None = None,
    hold_expires_at: datetime | None = None, series_id: int | None = None, series_uid: UUID | None = None,
) -> Made:  # fmt: skip
    """Take the units of a plan, the preferred ones first, and draw its credits. Raises SlotTaken.

    `series_id` ties the booking to its recurrence. One that is held for somebody who waits is given with
    `hold_expires_at`; who pays first has TIME_TO_PAY, and no longer than the booking lasts.
    """
    row = _row(planned, person=person, now=now, status=status or planned.status)
    if row["status"] == "held" and hold_expires_at is None:
        hold_expires_at = min(now + TIME_TO_PAY, planned.end)
    row |= {"series_id": series_id, "hold_expires_at": hold_expires_at}
    for units in _choices(planned):
        row["units"] = row["unit_ids"] = units
        if made := occupying.claim(session, row, units=units, due_at=due_at(row)):
            draw_credits(session, planned, row["uid"], member_id=person.member_id, draw_no=1, now=now)
            return Made(made, row, planned, series_uid)
    raise taken(session, planned, person=person, now=now)


def _choices(planned: Plan) -> Iterator[list[int]]:
    """The sets of units to try: all at once for a combination, one after the other for a pool."""
    free = planned.situation.free_units
    if planned.offer.takes == "all":
        yield planned.units(free)
    else:
        yield from (planned.units([unit_id]) for unit_id in free)


def _row(planned: Plan, *, person: Person, now: datetime, status: str) -> dict[str, Any]:
    offer, price = planned.offer, planned.price
    occupied_from, occupied_to = rules.buffered(offer.rules, planned.start, planned.end)
    return {
        "uid": new_id(),
        "space_id": offer.space_id,
        "resource_id": offer.resource_id,
        "member_id": person.member_id,
        "member_uid": person.uid,
        "status": status,
        "starts_at": planned.start,
        "ends_at": planned.end,
        "occupied_from": occupied_from,
        "occupied_to": occupied_to,
        "title": planned.wish.title,
        "attendees": list(planned.wish.attendees),
        "extras": [line.situation.offer.resource_id for line in planned.lines[1:]],
        "currency": price.currency,
        "gross_cents": price.gross_cents,
        "net_cents": price.net_cents,
        "vat_cents": price.vat_cents,
        "vat_permille": price.rate_permille,
        "cover": planned.cover,
        "terms": planned.terms()
        | no_show_after(planned, now=now)
        | ({"pay_first": True} if planned.pays_first else {}),
        "now": now,
        "created_at": now,
        "changed_at": now,
    }


def no_show_after(planned: Plan, *, now: datetime) -> dict[str, Any]:
    """The term for a booking that has begun already, else nothing.

    What staff record did happen: nobody waits for the member to come. Who books the running step has their grace from
    `now`, not from a start that lies before it.
    """
    grace = planned.offer.rules.no_show_after_minutes
    if planned.start >= now or grace is None:
        return {}
    if planned.situation.standing.is_staff:
        return {"no_show_after_minutes": None}
    return {"no_show_after_minutes": grace - (planned.start - now) // timedelta(minutes=1)}


def due_at(row: dict[str, Any]) -> datetime:
    """When somebody must look at the booking again: its hold expires, nobody answered, nobody came, it is over."""
    if row["status"] == "held":
        return row["hold_expires_at"] or row["starts_at"]
    if row["status"] == "pending":
        return row["starts_at"]
    grace = row["terms"].get("no_show_after_minutes")
    if row["status"] == "confirmed" and grace is not None:
        return min(row["starts_at"] + timedelta(minutes=grace), row["ends_at"])
    return row["ends_at"]


def draw_credits(session: Session, planned: Plan, uid: UUID, *, member_id: int, draw_no: int, now: datetime) -> None:
    """Draw what the plan's cover takes from memberships; `draw_no` counts the times a booking draws."""
    credits.draw(
        session,
        planned.drawn,
        member_id=member_id,
        space_id=planned.offer.space_id,
        booking_uid=uid,
        draw_no=draw_no,
        at=now,
    )


def fact_of(made: Made) -> BookingMade:
    row, offer = made.row, made.plan.offer
    return BookingMade(
        booking_id=str(row["uid"]),
        space_id=str(offer.space_uid),
        resource_id=str(offer.resource_uid),
        member_id=str(row["member_uid"]),
        status=row["status"],
        start=instant(row["starts_at"]),
        end=instant(row["ends_at"]),
        gross_cents=row["gross_cents"],
        net_cents=row["net_cents"],
        vat_cents=row["vat_cents"],
        currency=row["currency"],
        cover=row["cover"],
        series_id=str(made.series_uid) if made.series_uid else None,
        **billing_facts(made.plan),
    )


def billing_facts(planned: Plan) -> dict[str, Any]:
    """What an event tells for the books: who pays, for what kind of thing, and how VAT was decided."""
    payer, price = planned.situation.payer, planned.price
    return {
        "payer_id": payer.uid if payer else None,
        "resource_kind": planned.offer.kind,
        "vat": vat_shape(price),
    }
