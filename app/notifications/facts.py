"""What a mail says that must not change between the event and the sending: times, prices, terms, codes.

No name, address or title is kept here. Resources, units and the space are kept by their ids and named when the mail is
composed; what the event says goes before what the booking's row says, which may be a step ahead of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.booking.models import Booking, BookingSeries, Resource, WaitlistEntry
from app.db import Statement
from app.events.envelope import Envelope, instant
from app.network.models import Member, Space

MOST_DATES = 400  # of a recurrence; more are not booked in one go


class BookingFacts(Protocol):
    """What mails need of a booking's row."""

    id: Any
    uid: Any
    member_id: Any
    space_id: Any
    status: Any
    starts_at: Any
    ends_at: Any
    unit_ids: Any
    currency: Any
    gross_cents: Any
    vat_cents: Any
    cover: Any
    terms: Any


@dataclass(frozen=True, slots=True)
class Subject:
    """A booking as it is now, whose it is, and where."""

    booking: BookingFacts
    member_uid: UUID
    locale: str
    erased: bool
    space_uid: UUID
    zone: str
    resource_uid: UUID


def _look_by(which: Any) -> Statement:
    """Looked for at every event: what is on the way of each goes straight to the driver."""
    columns = [getattr(Booking, name) for name in BookingFacts.__annotations__]
    where = [Member.uid.label("member_uid"), Member.locale, Member.erased_at, Space.uid.label("space_uid")]
    return Statement.of(
        select(*columns, *where, Space.timezone, Resource.uid.label("resource_uid"))
        .join(Member, Member.id == Booking.member_id)
        .join(Space, Space.id == Booking.space_id)
        .join(Resource, Resource.id == Booking.resource_id)
        .where(which)
    )


_BY_UID = _look_by(Booking.uid == bindparam("uid"))
_BY_ID = _look_by(Booking.id == bindparam("booking_id"))


def subject_of(session: Session, booking_uid: UUID) -> Subject | None:
    return _subject(_BY_UID.run(session, {"uid": booking_uid}).one_or_none())


def subject_by_id(session: Session, booking_id: int) -> Subject | None:
    return _subject(_BY_ID.run(session, {"booking_id": booking_id}).one_or_none())


def _subject(row: Any) -> Subject | None:
    if row is None:
        return None
    erased = row.erased_at is not None
    return Subject(row, row.member_uid, row.locale, erased, row.space_uid, row.timezone, row.resource_uid)


def freeze(session: Session, kind: str, subject: Subject, envelope: Envelope) -> dict[str, Any]:
    """The facts of a mail about a booking."""
    said = envelope.data
    facts = booking_facts(subject, said)
    for add in MORE.get(kind, ()):
        facts |= add(session, subject, said)
    return facts


def booking_facts(subject: Subject, said: Mapping[str, Any]) -> dict[str, Any]:
    """When, where and for how much: of the event where it says so, else of the booking's row."""
    booking = subject.booking
    facts = {
        "booking_id": str(booking.uid),
        "resource_id": str(subject.resource_uid),
        "zone": subject.zone,
        "start": instant(booking.starts_at),
        "end": instant(booking.ends_at),
        "gross_cents": booking.gross_cents,
        "vat_cents": booking.vat_cents,
        "currency": booking.currency,
        "cover": booking.cover,
    }
    told = {name: said[name] for name in facts if said.get(name) is not None}
    still_there = all(told.get(name, facts[name]) == facts[name] for name in ("resource_id", "start", "end"))
    units = booking.unit_ids if still_there else []
    return {**facts, **told, "unit_ids": list(units), "terms": booking.terms.get("cancellation", [])}


def _dates(session: Session, _subject: Subject, said: Mapping[str, Any]) -> dict[str, Any]:
    """All the dates of a recurrence, and what they cost together."""
    if not said.get("series_id"):
        return {}
    query = (
        select(Booking.starts_at, Booking.ends_at, Booking.gross_cents, Booking.vat_cents)
        .join(BookingSeries, BookingSeries.id == Booking.series_id)
        .where(BookingSeries.uid == UUID(said["series_id"]))
        .order_by(Booking.starts_at)
        .limit(MOST_DATES)
    )
    rows = session.execute(query).all()
    return {
        "series_id": said["series_id"],
        "dates": [[instant(row.starts_at), instant(row.ends_at)] for row in rows],
        "gross_cents": sum(row.gross_cents for row in rows),
        "vat_cents": sum(row.vat_cents for row in rows),
        "cover": [],
        "unit_ids": [],
    }


def _previous(_session: Session, _subject: Subject, said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in ("previous_resource_id", "previous_start", "previous_end")}


def _ended(_session: Session, _subject: Subject, said: Mapping[str, Any]) -> dict[str, Any]:
    """By whom it ended, what that costs, and what came back."""
    return {name: said.get(name) for name in ("reason", "fee_cents", "returned")}


def _instead(_session: Session, _subject: Subject, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"alternatives": said.get("alternatives") or []}


def _what_expired(session: Session, subject: Subject, _said: Mapping[str, Any]) -> dict[str, Any]:
    """An offer that was not taken up, or a request that nobody answered."""
    lapsed = select(WaitlistEntry.id).where(WaitlistEntry.booking_id == subject.booking.id)
    offered = session.scalars(lapsed.where(WaitlistEntry.status == "lapsed")).first() is not None
    return {"expired": "offer" if offered else "request"}


def _offer(_session: Session, _subject: Subject, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"expires_at": said["expires_at"]}


MORE: dict[str, tuple[Callable[[Session, Subject, Mapping[str, Any]], dict[str, Any]], ...]] = {
    "booking_confirmed": (_dates,),
    "booking_requested": (_dates,),
    "booking_moved": (_previous,),
    "booking_cancelled": (_ended,),
    "booking_refused": (_ended,),
    "booking_expired": (_what_expired, _ended),
    "displaced": (_ended, _instead),
    "waitlist_offered": (_offer,),
}


def moment(text: str) -> datetime:
    """An instant of the facts."""
    return datetime.fromisoformat(text)
