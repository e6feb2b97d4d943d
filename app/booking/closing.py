"""Closing a space, or putting some of its units under maintenance, for a period.

A closure is an occupancy like any other: the same constraint keeps bookings out. Whom it displaces is shown first, with
alternatives; publishing it cancels those bookings for free and tells everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.booking import freed, occupying
from app.booking.alternatives import Closing
from app.booking.cancelling import cancel
from app.booking.models import Booking, Closure, Occupancy, Resource, Unit
from app.booking.planning import instead
from app.booking.situation import look
from app.booking.wishes import Wish
from app.errors import Invalid, NotFound, Problem
from app.events.catalogue import SpaceClosed, SpaceReopened
from app.events.envelope import instant
from app.events.outbox import record
from app.network.models import Space
from app.network.people import person_of

TRIES = 5
MOST_WITH_ALTERNATIVES = 50  # seeking them takes longer than all the rest
DISPLACED = ("held", "pending", "confirmed", "checked_in")


class TooBusy(Problem):
    code = "too_busy"
    status = 409
    title = "Bookings kept coming in while the closure was published; try again."


class AlreadyClosed(Problem):
    code = "already_closed"
    status = 409
    title = "Another closure or maintenance covers part of that."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureWish:
    """`unit_ids` None means the whole space."""

    start: datetime
    end: datetime
    kind: str = "closure"
    reason: str = ""
    unit_ids: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class Displaced:
    """A booking that a closure cancels, and what its member is offered instead: nothing after the first fifty."""

    booking: Booking
    alternatives: list[dict[str, Any]]


def preview_closure(session: Session, space: Space, wish: ClosureWish, *, now: datetime) -> list[Displaced]:
    """Whom the closure would displace, and what the first fifty would be offered. Writes nothing. Raises Invalid."""
    wish = _still_to_come(wish, now=now)
    units = _units(session, space, wish)
    return _all_displaced(session, _overlapping(session, units, wish), _closing(units, wish), now=now)


def publish_closure(
    session: Session, space: Space, wish: ClosureWish, *, now: datetime
) -> tuple[Closure, list[Displaced]]:
    """Close: cancel what it displaces, occupy the units, tell. All of it or nothing.

    What is past stays as it was: the closure begins now at the earliest. Raises Invalid, AlreadyClosed, or TooBusy when
    new bookings kept slipping in.
    """
    wish = _still_to_come(wish, now=now)
    units = _units(session, space, wish)
    closure = Closure(
        space_id=space.id,
        kind=wish.kind,
        starts_at=wish.start,
        ends_at=wish.end,
        unit_ids=[unit.id for unit in units],
        reason=wish.reason,
        created_at=now,
    )
    session.add(closure)
    session.flush()
    for _ in range(TRIES):
        savepoint = session.begin_nested()
        displaced = _clear_and_occupy(session, closure, units, wish, now=now)
        if displaced is not None:
            savepoint.commit()
            _tell(session, space, closure, units, displaced, now=now)
            return closure, displaced
        savepoint.rollback()
    raise TooBusy()


def lift_closure(session: Session, space: Space, uid: UUID, *, now: datetime) -> Closure:
    """Open again what is left of a closure. Repeating it succeeds. Raises NotFound."""
    query = select(Closure).where(Closure.uid == uid, Closure.space_id == space.id).with_for_update(key_share=True)
    query = query.execution_options(populate_existing=True)
    closure = session.scalars(query).one_or_none()
    if closure is None:
        raise NotFound()
    if closure.lifted_at is None:
        closure.lifted_at = now
        session.flush()
        occupying.release_closure(session, closure_id=closure.id)
        freed.announce(session, closure.unit_ids, now=now)
        record(session, space, SpaceReopened(space_id=str(space.uid), closure_id=str(closure.uid)), at=now)
    return closure


def _clear_and_occupy(
    session: Session, closure: Closure, units: Sequence[Unit], wish: ClosureWish, *, now: datetime
) -> list[Displaced] | None:
    """One try, in the product's lock order: people, then units. None when somebody new turned up meanwhile."""
    bookings = _overlapping(session, units, wish)
    occupying.lock_people(session, (booking.member_id for booking in bookings))
    occupying.lock_units(session, (unit.id for unit in units))
    again = _overlapping(session, units, wish)
    if {booking.id for booking in again} - {booking.id for booking in bookings}:
        return None
    if not _occupied(session, closure, units, again, wish):
        return None
    displaced = _all_displaced(session, again, _closing(units, wish), now=now)
    for each in displaced:
        cancel(session, each.booking, reason="closure", now=now, alternatives=each.alternatives)
    return displaced


def _occupied(
    session: Session, closure: Closure, units: Sequence[Unit], bookings: list[Booking], wish: ClosureWish
) -> bool:
    """Take the units from the bookings; whether nobody slipped in. First of all, because only this may need a new try.

    Raises AlreadyClosed.
    """
    ids = {unit.id for unit in units}
    for booking in bookings:
        occupying.release(session, booking_id=booking.id)
    occupying.cut_airing(session, units=ids, start=wish.start, end=wish.end)
    got = occupying.occupy(session, units=ids, start=wish.start, end=wish.end, kind=wish.kind, closure_id=closure.id)
    if got != ids and _closed_already(session, closure, ids, wish):
        raise AlreadyClosed()
    return got == ids


def _still_to_come(wish: ClosureWish, *, now: datetime) -> ClosureWish:
    if wish.end <= wish.start:
        raise Invalid.field("end", "must be after start")
    if wish.end <= now:
        raise Invalid.field("end", "choose an end in the future")
    return replace(wish, start=max(wish.start, now))


def _overlapping(session: Session, units: Sequence[Unit], wish: ClosureWish) -> list[Booking]:
    """Whose own time overlaps the closure; airing before or after it does not count."""
    taken = select(Occupancy.booking_id).where(
        Occupancy.unit_id.in_([unit.id for unit in units]),
        Occupancy.period.op("&&")(func.tstzrange(wish.start, wish.end)),
        Occupancy.kind == "booking",
    )
    query = (
        select(Booking)
        .where(Booking.id.in_(taken), Booking.status.in_(DISPLACED))
        .where(Booking.starts_at < wish.end, Booking.ends_at > wish.start)
        .order_by(Booking.starts_at, Booking.id)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


def _closed_already(session: Session, closure: Closure, unit_ids: set[int], wish: ClosureWish) -> bool:
    query = select(Occupancy.id).where(
        Occupancy.unit_id.in_(unit_ids),
        Occupancy.period.op("&&")(func.tstzrange(wish.start, wish.end)),
        Occupancy.kind != "booking",
        Occupancy.closure_id.is_distinct_from(closure.id),
    )
    return session.scalars(query.limit(1)).first() is not None


def _closing(units: Sequence[Unit], wish: ClosureWish) -> Closing:
    return Closing(frozenset(unit.id for unit in units), wish.start, wish.end)


def _all_displaced(
    session: Session, bookings: Sequence[Booking], closing: Closing, *, now: datetime
) -> list[Displaced]:
    first, rest = bookings[:MOST_WITH_ALTERNATIVES], bookings[MOST_WITH_ALTERNATIVES:]
    explained = [_displaced(session, booking, closing, now=now) for booking in first]
    return explained + [Displaced(booking, []) for booking in rest]


def _displaced(session: Session, booking: Booking, closing: Closing, *, now: datetime) -> Displaced:
    """The booking with what its member could book instead, outside the closure."""
    person, wish = person_of(session, booking.member_id), _wish_of(session, booking)
    try:
        main = look(
            session, resource_uid=wish.resource_id, person=person, start=wish.start, end=wish.end, but=booking.id
        )
    except NotFound:  # no longer offered
        return Displaced(booking, [])
    return Displaced(booking, instead(session, main, wish, person=person, now=now, but=booking.id, closing=closing))


def _wish_of(session: Session, booking: Booking) -> Wish:
    query = select(Resource.id, Resource.uid).where(Resource.id.in_([booking.resource_id, *booking.extras]))
    uids = {row.id: row.uid for row in session.execute(query)}
    return Wish(
        resource_id=uids[booking.resource_id],
        start=booking.starts_at,
        end=booking.ends_at,
        attendees=tuple(booking.attendees),
        extras=tuple(uids[extra] for extra in booking.extras),
    )


def _units(session: Session, space: Space, wish: ClosureWish) -> Sequence[Unit]:
    query = select(Unit).where(Unit.space_id == space.id, Unit.archived_at.is_(None)).order_by(Unit.id)
    if wish.unit_ids is not None:
        query = query.where(Unit.uid.in_(wish.unit_ids))
    units = session.scalars(query).all()
    if not units or (wish.unit_ids is not None and len(units) != len(set(wish.unit_ids))):
        raise Invalid.field("unit_ids", "name units of this space")
    return units


def _tell(
    session: Session,
    space: Space,
    closure: Closure,
    units: Sequence[Unit],
    displaced: list[Displaced],
    *,
    now: datetime,
) -> None:
    fact = SpaceClosed(
        space_id=str(space.uid),
        closure_id=str(closure.uid),
        kind=closure.kind,
        start=instant(closure.starts_at),
        end=instant(closure.ends_at),
        unit_ids=[str(unit.uid) for unit in units],
        displaced=[str(each.booking.uid) for each in displaced],
    )
    record(session, space, fact, at=now)
