"""What the billing worker would do with the demonstration's events at its first start, done by the batch.

The same rules decide (what is due, for which days, to whom); only the statements are few, because two thousand events
one by one would keep the workers from a newcomer's first booking for half a minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.billing.charges import booking as bookings
from app.billing.charges.booking import Booking
from app.billing.charges.models import BilledBooking, Charge
from app.billing.charges.owing import Cents, Change
from app.billing.charges.places import Place, place_of
from app.billing.charges.recording import columns_of, earned_on, owed_for
from app.billing.charges.writing import Source, earn_charges, row_of
from app.billing.months import Books
from app.events.envelope import Envelope
from app.network.models import Member
from app.network.parties.models import Party


@dataclass(slots=True)
class Told:
    """A booking as its events tell it, the first and the last of them, and where it is."""

    first: Envelope
    last: Envelope
    place: Place
    member_id: int
    booking: Booking

    @property
    def owes(self) -> bool:
        return bookings.due(self.booking) != Cents()


def charge_bookings(session: Session, events: Iterable[Envelope], *, books: Books, now: datetime) -> None:
    """Have charges and ledger follow all events of bookings, given in their order. Nothing was charged before."""
    told = _told(session, events)
    session.execute(insert(BilledBooking), [_remembered(each) for each in told])
    owing = [each for each in told if each.owes]
    parties = _parties(session, owing, now=now)
    session.execute(insert(Charge), [_charge(each, parties[each.member_id], books, now=now) for each in owing])
    _earn(session, [each for each in owing if bookings.is_earned(each.booking)], books, now=now)


def _told(session: Session, events: Iterable[Envelope]) -> list[Told]:
    places: dict[str, Place] = {}
    members = {str(uid): key for key, uid in session.execute(select(Member.id, Member.uid))}
    told: dict[UUID, Told] = {}
    for event in events:
        known = told.get(event.aggregate_id)
        booking = bookings.advance(known.booking if known else None, event.type, event.data)
        if known is not None:
            known.last, known.booking = event, booking
            continue
        space = event.data["space_id"]
        places[space] = places.get(space) or place_of(session, space)
        told[event.aggregate_id] = Told(event, event, places[space], members[event.data["member_id"]], booking)
    return list(told.values())


def _remembered(told: Told) -> dict[str, object]:
    place = {"operator_id": told.place.operator_id, "space_id": told.place.space_id, "member_id": told.member_id}
    return {"booking_uid": told.first.aggregate_id, "seq": told.last.seq, **place, **columns_of(told.booking)}


def _parties(session: Session, owing: Iterable[Told], *, now: datetime) -> Mapping[int, int]:
    """By member, who pays: the member's own party, made where there is none."""
    countries = {each.member_id: each.place.country for each in owing}
    known = _known(session, countries)
    members = session.scalars(select(Member).where(Member.id.in_(countries.keys() - known.keys())).order_by(Member.id))
    new = [
        {
            "member_id": member.id,
            "name": member.name,
            "country": countries[member.id],
            "email": member.email,
            "locale": member.locale,
            "changed_at": now,
        }
        for member in members
    ]
    session.execute(insert(Party), new)
    return _known(session, countries)


def _known(session: Session, members: Iterable[int]) -> dict[int, int]:
    found = select(Party.member_id, Party.id).where(Party.member_id.in_(list(members)))
    return {member_id: key for member_id, key in session.execute(found) if member_id is not None}


def _charge(told: Told, party_id: int, books: Books, *, now: datetime) -> dict[str, object]:
    source = Source(f"event:{told.first.event_id}", told.place, told.first.aggregate_id, told.member_id, now)
    change = Change(owed_for(told.booking, told.place, party_id))
    return row_of(source, books, change, 0, told.booking.status)


def _earn(session: Session, earned: Sequence[Told], books: Books, *, now: datetime) -> None:
    """By day, as the books take them."""
    days: dict[date, list[UUID]] = defaultdict(list)
    for told in earned:
        day = earned_on(told.booking, told.place, told.last.occurred_at)
        days[books.posting_day(day, today=told.place.day_of(now))].append(told.first.aggregate_id)
    for day, uids in days.items():
        charges = session.scalars(select(Charge).where(Charge.subject_uid.in_(uids)).order_by(Charge.id)).all()
        earn_charges(session, charges, day=day, now=now)
