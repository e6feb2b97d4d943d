"""Looking at bookings: one's own, and for staff those of their spaces, with the trail that such a look leaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.booking.describing import describe_all
from app.booking.localtime import parse_instant
from app.booking.models import Booking, Closure, Resource, WaitlistEntry
from app.errors import Invalid
from app.events.envelope import instant
from app.http.paging import Page, Paged, cut
from app.network import audit
from app.network.models import Space
from app.network.people import Person


def list_bookings(session: Session, wanted: dict[str, Any], page: Page, *, person: Person, now: datetime) -> Paged:
    """What the person may see, by start. `wanted` filters by space, resource, status, since, until, mine."""
    query = select(Booking).order_by(Booking.starts_at, Booking.id).limit(page.limit + 1)
    for condition in _conditions(wanted, person):
        query = query.where(condition)
    if page.after is not None:
        query = query.where(tuple_(Booking.starts_at, Booking.id) > _key(page.after))
    found = session.scalars(query).all()
    shown = found[: page.limit]
    last = [instant(shown[-1].starts_at), shown[-1].id] if len(found) > page.limit else None
    return Paged(show(session, shown, person=person, now=now), last)


def show(
    session: Session, bookings: Sequence[Booking], *, person: Person, now: datetime, did: str = "booking.viewed"
) -> list[dict[str, Any]]:
    """Described, with the members' names where staff looks; what they `did` to others' is noted once a space."""
    others = {booking.space_id: booking for booking in bookings if booking.member_id != person.member_id}
    for space_id, booking in others.items():
        subject = str(booking.uid) if len(bookings) == 1 else f"{len(bookings)} bookings"
        audit.note(session, person, did, space_id, subject, now)
    return describe_all(session, bookings, now=now, with_members=bool(others))


def _conditions(wanted: dict[str, Any], person: Person) -> list[Any]:
    rows = {
        "space": lambda uid: Booking.space_id.in_(select(Space.id).where(Space.uid == uid)),
        "resource": lambda uid: Booking.resource_id.in_(select(Resource.id).where(Resource.uid == uid)),
        "status": lambda status: Booking.status == status,
        "since": lambda since: Booking.ends_at > since,
        "until": lambda until: Booking.starts_at < until,
        "mine": lambda mine: Booking.member_id == person.member_id if mine else Booking.id > 0,
    }
    return [rows[name](wanted[name]) for name in rows if wanted.get(name) is not None]


def _key(after: list[Any]) -> tuple[datetime, int]:
    try:
        start, booking_id = after
        return parse_instant(start, field="cursor"), int(booking_id)
    except (TypeError, ValueError):
        raise Invalid.field("cursor", "use the cursor of the Link header, or none") from None


def describe_wait(session: Session, entry: WaitlistEntry) -> dict[str, Any]:
    booking_uid = session.scalars(select(Booking.uid).where(Booking.id == entry.booking_id)).one_or_none()
    return {
        "id": str(entry.uid),
        "status": entry.status,
        "resource_id": str(session.scalars(select(Resource.uid).where(Resource.id == entry.resource_id)).one()),
        "start": instant(entry.starts_at),
        "end": instant(entry.ends_at),
        "booking_id": str(booking_uid) if booking_uid else None,
    }


def my_waiting(session: Session, person: Person, page: Page) -> Paged:
    query = select(WaitlistEntry).where(WaitlistEntry.member_id == person.member_id).order_by(WaitlistEntry.id.desc())
    if page.after is not None:
        query = query.where(WaitlistEntry.id < page.after[0])
    shown, last = cut(session.scalars(query.limit(page.limit + 1)).all(), page, lambda entry: [entry.id])
    return Paged([describe_wait(session, entry) for entry in shown], last)


def describe_closure(closure: Closure) -> dict[str, Any]:
    return {
        "id": str(closure.uid),
        "kind": closure.kind,
        "start": instant(closure.starts_at),
        "end": instant(closure.ends_at),
        "reason": closure.reason,
        "lifted_at": instant(closure.lifted_at) if closure.lifted_at else None,
    }
