"""What every change of an existing booking shares: find it, lock it in the product's order, mark it changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking import freed, occupying
from app.booking.fees import OPEN
from app.booking.models import Booking, Resource
from app.errors import NotFound, WrongState
from app.events.catalogue import DomainEvent
from app.events.outbox import record
from app.network import credits
from app.network.models import Member, Space
from app.network.people import Person
from app.network.roles import FRONT_DESK

LAPSED = "expired"


def find_booking(session: Session, uid: UUID) -> Booking:
    """The booking, if the session's person may see it. Raises NotFound."""
    booking = session.scalars(select(Booking).where(Booking.uid == uid)).one_or_none()
    if booking is None:
        raise NotFound()
    return booking


def lock_booking(session: Session, booking: Booking) -> Booking:
    """The booking as it is now, locked after its person (lock order: person → memberships → booking → units)."""
    occupying.lock_person(session, booking.member_id, space_id=booking.space_id)
    fresh = (
        select(Booking)
        .where(Booking.id == booking.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalars(fresh).one()


def lock_for_change(session: Session, uid: UUID) -> Booking:
    return lock_booking(session, find_booking(session, uid))


def may_run_the_desk(person: Person, booking: Booking) -> bool:
    return person.may(FRONT_DESK, booking.space_id)


def require_owner_or_desk(person: Person, booking: Booking) -> None:
    """Raises NotFound or NotAllowed: who merely sees a booking (an accountant) does not change it."""
    if booking.member_id != person.member_id:
        person.require(FRONT_DESK, booking.space_id)


def require_status(booking: Booking, *allowed: str) -> None:
    """Raises WrongState with the state it is in."""
    if booking.status not in allowed:
        raise WrongState(state=booking.status, allowed=list(allowed))


def require_not_over(booking: Booking, *, now: datetime) -> None:
    """Raises WrongState once its time is over, whether or not the timekeeper has been there yet."""
    if now >= booking.ends_at:
        raise WrongState(state="completed", allowed=list(OPEN))


def mark(booking: Booking, *, now: datetime, **values: Any) -> None:
    """Change what people see of a booking: its revision grows, so that feeds and ETags tell."""
    for name, value in values.items():
        setattr(booking, name, value)
    booking.revision += 1
    booking.changed_at = max(now, booking.changed_at)


def close(session: Session, booking: Booking, *, status: str, reason: str | None, now: datetime) -> None:
    """End a booking early: its units are free again and whoever waits for them is looked at."""
    mark(booking, now=now, status=status, reason=reason, hold_expires_at=None)
    session.flush()
    occupying.release(session, booking_id=booking.id)
    freed.announce(session, booking.unit_ids, now=now)


def give_back(session: Session, booking: Booking, *, now: datetime) -> list[dict[str, Any]]:
    """Give the booking's credits back to where they came from; the parts of its cover that came back."""
    returned = credits.give_back(session, booking_uid=booking.uid, draw_no=booking.draw_no, at=now)
    return [part for part in booking.cover if part["source"] == "credit"] if returned else []


def public_ids(session: Session, booking: Booking) -> dict[str, str]:
    """The ids that every booking event carries."""
    row = session.execute(
        select(Space.uid, Member.uid).join(Member, Member.id == booking.member_id).where(Space.id == booking.space_id)
    ).one()
    return {"booking_id": str(booking.uid), "space_id": str(row[0]), "member_id": str(row[1])}


def resource_uid(session: Session, resource_id: int) -> str:
    return str(session.scalars(select(Resource.uid).where(Resource.id == resource_id)).one())


def tell(session: Session, booking: Booking, fact: type[DomainEvent], *, now: datetime, **payload: Any) -> None:
    """Record `fact` about the booking, with its ids and `payload`."""
    make: Any = fact
    record(session, booking, make(**public_ids(session, booking), **payload), at=now)
