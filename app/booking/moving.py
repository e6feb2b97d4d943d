"""Moving a booking to another time or another resource of the same space, and editing what is written on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking import freed, occupying, rules
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import offer_of
from app.booking.changing import (
    find_booking,
    give_back,
    lock_booking,
    mark,
    require_not_over,
    require_owner_or_desk,
    require_status,
    resource_uid,
    tell,
)
from app.booking.cover import credit_minutes, credit_money, money_cents
from app.booking.deciding import NEXT, next_at
from app.booking.fees import change_fee, fee, fee_percent, is_late
from app.booking.giving_up import Size, credit_kept, parts_after
from app.booking.giving_up import change_fee as change_fee_after
from app.booking.making import billing_facts, draw_credits, no_show_after
from app.booking.models import Booking, Resource
from app.booking.planning import Plan, check_people, plan, taken
from app.booking.wishes import SOURCES, Wish
from app.errors import Invalid
from app.events.catalogue import BookingEdited, BookingMoved
from app.events.envelope import instant
from app.network import credits
from app.network.credits import Drawn
from app.network.memberships.pools import CENTS, MINUTES
from app.network.people import Person, acting_for, person_of
from app.timekeeper import schedule

MOVABLE = ("pending", "confirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to change of a booking; None leaves it as it is."""

    resource_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None
    title: str | None = None
    attendees: tuple[str, ...] | None = None

    @property
    def moves(self) -> bool:
        return not (self.resource_id is None and self.start is None and self.end is None)


def change_booking(
    session: Session, uid: UUID, change: Change, *, person: Person, now: datetime,
    check: Callable[[Booking], None] = lambda _: None,
) -> Booking:  # fmt: skip
    """Change a booking. When the new place or time is refused or taken, the booking stays exactly as it was.

    Raises NotFound, NotAllowed, WrongState, Invalid, Refused, SlotTaken (the last two with alternatives), and what
    `check` raises about the version.
    """
    booking = lock_booking(session, find_booking(session, uid))
    require_owner_or_desk(person, booking)
    check(booking)
    require_status(booking, *MOVABLE)
    require_not_over(booking, now=now)
    if change.moves:
        _move(session, booking, change, person=person, now=now)
    else:
        _edit(session, booking, change, now=now)
    return booking


def _edit(session: Session, booking: Booking, change: Change, *, now: datetime) -> None:
    values = _written(booking, change)
    if not values:
        return
    if "attendees" in values:
        resource = session.get_one(Resource, booking.resource_id)
        check_people(resource.kind, resource.capacity, values["attendees"])
    mark(booking, now=now, **values)
    session.flush()
    tell(session, booking, BookingEdited, now=now, fields=sorted(values))


def _written(booking: Booking, change: Change) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if change.title is not None and change.title != booking.title:
        wanted["title"] = change.title
    if change.attendees is not None and list(change.attendees) != booking.attendees:
        wanted["attendees"] = list(change.attendees)
    return wanted


def _move(session: Session, booking: Booking, change: Change, *, person: Person, now: datetime) -> None:
    owner = _owner(session, booking, person)
    wish = _wish(session, booking, change)
    before = {
        "previous_resource_id": resource_uid(session, booking.resource_id),
        "previous_start": instant(booking.starts_at),
        "previous_end": instant(booking.ends_at),
    }
    _lock_reach(session, booking, wish)
    # From here on nobody who needs several of these units passes us; see app.booking.occupying.
    occupying.release(session, booking_id=booking.id)
    drawn = credits.drawn_by(session, booking_uid=booking.uid, draw_no=booking.draw_no)
    give_back(session, booking, now=now)
    planned = plan(session, wish, person=owner, now=now, but=booking.id)
    if planned.offer.space_id != booking.space_id:
        raise Invalid.field("resource_id", "stay in the same space; to change spaces, cancel and book there")
    units = _retake(session, booking, planned, owner=owner, now=now)
    left = set(booking.unit_ids)
    by_owner = booking.member_id == person.member_id
    late = by_owner and is_late(booking, now=now)
    planned = replace(planned, drawn=_with_credit_kept(booking, planned, drawn, late=late))
    kept = _kept_terms(booking, planned, by_owner=by_owner, now=now)
    _rewrite(
        booking,
        planned,
        units,
        planned.terms() | no_show_after(planned, now=now) | kept | _paying(booking),
        _written(booking, change),
        now=now,
    )
    session.flush()
    draw_credits(session, planned, booking.uid, member_id=booking.member_id, draw_no=booking.draw_no, now=now)
    schedule(session, NEXT, booking.id, next_at(booking))
    freed.announce(session, left, now=now)
    tell(session, booking, BookingMoved, now=now, **_payload(booking, planned), **before)


def _owner(session: Session, booking: Booking, person: Person) -> Person:
    if booking.member_id == person.member_id:
        return person
    return acting_for(person_of(session, booking.member_id), person)


def _wish(session: Session, booking: Booking, change: Change) -> Wish:
    """The booking as it shall be, paid for in the order chosen then. A new start alone keeps the length."""
    start = change.start or booking.starts_at
    end = change.end or start + (booking.ends_at - booking.starts_at)
    extras = session.scalars(select(Resource.uid).where(Resource.id.in_(booking.extras)).order_by(Resource.id))
    return Wish(
        resource_id=change.resource_id or UUID(resource_uid(session, booking.resource_id)),
        start=start,
        end=end,
        title=booking.title if change.title is None else change.title,
        attendees=tuple(booking.attendees) if change.attendees is None else change.attendees,
        extras=tuple(extras),
        cover=tuple(booking.terms.get("sources", SOURCES)),
    )


def _lock_reach(session: Session, booking: Booking, wish: Wish) -> None:
    """Lock the units the booking has and all it might get, at once and ascending."""
    offers: list[Offer] = [offer_of(session, uid) for uid in (wish.resource_id, *wish.extras)]
    occupying.lock_units(session, {*booking.unit_ids, *(unit for offer in offers for unit in offer.unit_ids)})


def _retake(session: Session, booking: Booking, planned: Plan, *, owner: Person, now: datetime) -> list[int]:
    """Occupy the new units: the one it has where it can stay, else as for a new booking. Raises SlotTaken."""
    start, end = rules.buffered(planned.offer.rules, planned.start, planned.end)
    for main in _choices(planned, booking.unit_ids):
        units = planned.units(main)
        savepoint = session.begin_nested()
        if occupying.occupy(session, units=units, start=start, end=end, booking_id=booking.id) == set(units):
            savepoint.commit()
            return units
        savepoint.rollback()
    raise taken(session, planned, person=owner, now=now, but=booking.id)


def _choices(planned: Plan, own: list[int]) -> list[list[int]]:
    free = planned.situation.free_units
    if planned.offer.takes == "all":
        return [list(free)]
    return [[unit_id] for unit_id in sorted(free, key=lambda unit_id: unit_id not in own)]


def _kept_terms(booking: Booking, planned: Plan, *, by_owner: bool, now: datetime) -> dict[str, Any]:
    """What a late move leaves behind: the fee that cancelling would have cost instead, and what is owed for the part
    given up (app.booking.giving_up). Staff move for free: what is owed already does not grow."""
    was, is_now = _sizes(booking, planned)
    percent = fee_percent(booking, now=now) if by_owner else 0
    parts = parts_after(booking.terms.get("given_up", ()), was, is_now, percent=percent)
    least = fee(booking, now=now) if by_owner else booking.terms.get("least_fee_cents", 0)
    owed = change_fee_after(parts, least_cents=least, gross_cents=is_now.gross)
    return {
        "least_fee_cents": least,
        "moved_late": is_late(booking, now=now) if by_owner else bool(booking.terms.get("moved_late")),
        "given_up": [list(part) for part in parts],
        "change_fee_cents": owed if by_owner else min(owed, change_fee(booking)),
        "forfeited_minutes": sum(each.minutes for each in planned.drawn) - credit_minutes(planned.cover),
    }


def _paying(booking: Booking) -> dict[str, Any]:
    """What is remembered of its being paid first: the payment that confirmed it goes on doing so, wherever it is."""
    return {name: booking.terms[name] for name in ("pay_first", "paid_by") if name in booking.terms}


def _status(booking: Booking, planned: Plan) -> str:
    """What it is once moved: a request where approval is needed, else confirmed. What staff move keeps its status: they
    moved a request, they did not approve it.

    A move never makes a hold. Where one pays first, what was confirmed, paid or not, stays so, and what it costs more
    goes on the account; a request stays one, and whoever answers it takes the money.
    """
    if planned.situation.standing.is_staff:
        return booking.status
    if planned.needs_approval:
        return "pending"
    return booking.status if planned.pays_first else "confirmed"


def _sizes(booking: Booking, planned: Plan) -> tuple[Size, Size]:
    was = Size(booking.gross_cents, money_cents(booking.cover))
    return was, Size(planned.price.gross_cents, money_cents(planned.cover))


def _with_credit_kept(booking: Booking, planned: Plan, before: Sequence[Drawn], *, late: bool) -> tuple[Drawn, ...]:
    """What the new plan draws, and what stays drawn of the parts given up late, by this change or an earlier one."""
    was, is_now = _sizes(booking, planned)
    drawn = planned.drawn
    for unit, old in ((MINUTES, credit_minutes(booking.cover)), (CENTS, credit_money(booking.cover)[0])):
        whole, new = (sum(getattr(each, unit) for each in several) for several in (before, planned.drawn))
        kept = credit_kept(old, new, forfeited=whole - old, was=was, is_now=is_now, late=late)
        drawn = credits.keeping(drawn, before, unit=unit, amount=kept)
    return drawn


def _rewrite(
    booking: Booking, planned: Plan, units: list[int], terms: dict[str, Any], written: dict[str, Any], *, now: datetime
) -> None:
    price = planned.price
    mark(
        booking,
        now=now,
        status=_status(booking, planned),
        resource_id=planned.offer.resource_id,
        starts_at=planned.start,
        ends_at=planned.end,
        unit_ids=units,
        currency=price.currency,
        gross_cents=price.gross_cents,
        net_cents=price.net_cents,
        vat_cents=price.vat_cents,
        vat_permille=price.rate_permille,
        cover=planned.cover,
        terms=terms,
        draw_no=booking.draw_no + 1,
        **written,
    )


def _payload(booking: Booking, planned: Plan) -> dict[str, Any]:
    return {
        "resource_id": str(planned.offer.resource_uid),
        "start": instant(booking.starts_at),
        "end": instant(booking.ends_at),
        "gross_cents": booking.gross_cents,
        "net_cents": booking.net_cents,
        "vat_cents": booking.vat_cents,
        "currency": booking.currency,
        "cover": booking.cover,
        "change_fee_cents": change_fee(booking),
        "status": booking.status,
        **billing_facts(planned),
    }
