"""The waiting list: first come, first offered, with time to think.

Whoever waits has asked for one resource and one period. When units become free, the timekeeper offers them in the order
of asking: the place is booked as `held` for the person until the offer expires. Somebody whom the rules refuse by now
is passed over, and keeps waiting until the time itself has come.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.booking import occupying
from app.booking.cancelling import cancel
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import offer_of
from app.booking.freed import PROMOTE
from app.booking.making import Made, fact_of, needs_units_locked, take, units_within_reach
from app.booking.models import Booking, Resource, WaitlistEntry
from app.booking.planning import plan, plan_or_none
from app.booking.wishes import Wish
from app.errors import Invalid, NotFound, Problem, Refused, SlotTaken, WrongState
from app.events.catalogue import WaitlistOffered
from app.events.envelope import instant
from app.events.outbox import insert_event, record
from app.network.people import Person, person_of
from app.timekeeper import due, schedule

TIME_TO_THINK = timedelta(minutes=30)
MOST_PER_PERSON = 20
LIVE = ("waiting", "offered")
LAPSE = "waitlist.lapse"


class NotTaken(Problem):
    code = "not_taken"
    status = 409
    title = "That place is free: book it instead of waiting for it."


def join_waitlist(session: Session, wish: Wish, *, person: Person, now: datetime) -> WaitlistEntry:
    """Wait for a taken place.

    Raises what booking it would raise, except that it is taken; NotTaken when it is free; Invalid naming `start` when
    the person already waits for it; Refused (rule waitlist) when they wait for too much.
    """
    if wish.start <= now:  # an offer could not be taken up any more
        raise Refused(rule="in_the_past", limit=instant(now), alternatives=[])
    occupying.lock_person(session, person.member_id)
    offer = _taken_offer(session, wish, person=person, now=now)
    mine = select(WaitlistEntry).where(WaitlistEntry.member_id == person.member_id, WaitlistEntry.status.in_(LIVE))
    waiting = session.scalars(mine).all()
    if len(waiting) >= MOST_PER_PERSON:
        raise Refused(rule="waitlist", limit=MOST_PER_PERSON)
    same = (offer.resource_id, wish.start, wish.end)
    if any((entry.resource_id, entry.starts_at, entry.ends_at) == same for entry in waiting):
        raise Invalid.field("start", "you already wait for this place at this time")
    entry = WaitlistEntry(
        space_id=offer.space_id,
        resource_id=offer.resource_id,
        member_id=person.member_id,
        starts_at=wish.start,
        ends_at=wish.end,
        status="waiting",
        created_at=now,
    )
    session.add(entry)
    session.flush()
    schedule(session, LAPSE, entry.id, entry.starts_at)
    return entry


def leave_waitlist(session: Session, uid: UUID, *, now: datetime) -> WaitlistEntry:
    """Stop waiting. Repeating it changes nothing; an offer already made is given up. Raises NotFound, WrongState."""
    entry = find_entry(session, uid)
    occupying.lock_person(session, entry.member_id)
    session.refresh(entry, with_for_update={"key_share": True})
    if entry.status in ("cancelled", "lapsed"):
        return entry
    if entry.status == "taken":
        raise WrongState(state=entry.status, allowed=list(LIVE))
    if entry.status == "offered" and entry.booking_id is not None:
        cancel(session, session.get_one(Booking, entry.booking_id), reason="member", now=now)
    entry.status = "cancelled"
    session.flush()
    return entry


def find_entry(session: Session, uid: UUID) -> WaitlistEntry:
    entry = session.scalars(select(WaitlistEntry).where(WaitlistEntry.uid == uid)).one_or_none()
    if entry is None:
        raise NotFound()
    return entry


@due(PROMOTE)
def promote(session: Session, resource_id: int, *, now: datetime) -> None:
    """Offer a free place to the first who waits and may have it; look again at once while others wait.

    One offer a transaction: the lock order allows one person, and the next offer must see this one's units taken.
    """
    for entry in _waiting_for(session, resource_id):
        if entry.starts_at <= now:
            entry.status = "lapsed"
        elif offer_place(session, entry, now=now):
            # Later than what is being called now: the timekeeper removes that by its instant.
            schedule(session, PROMOTE, resource_id, now + timedelta(microseconds=1))
            return


@due(LAPSE)
def lapse(session: Session, entry_id: int, *, now: datetime) -> None:
    """The time waited for has come without an offer."""
    session.execute(
        update(WaitlistEntry)
        .where(WaitlistEntry.id == entry_id, WaitlistEntry.status == "waiting", WaitlistEntry.starts_at <= now)
        .values(status="lapsed")
        .execution_options(synchronize_session=False)
    )


def offer_place(session: Session, entry: WaitlistEntry, *, now: datetime) -> bool:
    """Hold the place for whoever `entry` belongs to, if it is free and the rules let them; whether it was."""
    person, wish = person_of(session, entry.member_id), _wish(session, entry)
    if plan_or_none(session, wish, person=person, now=now) is None:
        return False
    occupying.lock_person(session, entry.member_id, space_id=entry.space_id)
    session.refresh(entry, with_for_update={"key_share": True})
    planned = plan_or_none(session, wish, person=person, now=now)
    if entry.status != "waiting" or planned is None:
        return False
    if needs_units_locked(planned):
        occupying.lock_units(session, units_within_reach(planned))
    expires = min(now + TIME_TO_THINK, entry.starts_at)
    try:
        made = take(session, planned, person=person, now=now, status="held", hold_expires_at=expires)
    except SlotTaken:
        return False
    _tell(session, entry, made, expires, now=now)
    return True


def _tell(session: Session, entry: WaitlistEntry, made: Made, expires: datetime, *, now: datetime) -> None:
    fact = fact_of(made)
    insert_event(session, fact, aggregate_id=made.row["uid"], seq=1, at=now)
    entry.status, entry.booking_id = "offered", made.id
    session.flush()
    offered = WaitlistOffered(
        waitlist_entry_id=str(entry.uid),
        booking_id=fact.booking_id,
        space_id=fact.space_id,
        resource_id=fact.resource_id,
        member_id=fact.member_id,
        expires_at=instant(expires),
    )
    record(session, entry, offered, at=now)


def _waiting_for(session: Session, resource_id: int) -> list[WaitlistEntry]:
    query = (
        select(WaitlistEntry)
        .where(WaitlistEntry.resource_id == resource_id, WaitlistEntry.status == "waiting")
        .order_by(WaitlistEntry.id)
    )
    return list(session.scalars(query))


def _wish(session: Session, entry: WaitlistEntry) -> Wish:
    resource_uid = session.scalars(select(Resource.uid).where(Resource.id == entry.resource_id)).one()
    return Wish(resource_id=resource_uid, start=entry.starts_at, end=entry.ends_at)


def _taken_offer(session: Session, wish: Wish, *, person: Person, now: datetime) -> Offer:
    try:
        planned = plan(session, wish, person=person, now=now)
    except SlotTaken:
        return offer_of(session, wish.resource_id)
    raise NotTaken(resource_id=str(planned.offer.resource_uid))
