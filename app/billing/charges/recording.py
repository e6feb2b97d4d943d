"""From events to charges and postings, in the transaction of whoever handles the event. An event twice is one event.

Lock order: the party, the charges of the same thing, the operator's months, then what is written.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing import months
from app.billing.charges import booking as bookings
from app.billing.charges import membership as memberships
from app.billing.charges.booking import Booking
from app.billing.charges.models import BilledBooking, Charge
from app.billing.charges.owing import Cents, Owed, Vat, settle
from app.billing.charges.parties import party_of
from app.billing.charges.places import Place, member_id_of, place_of, vat_where
from app.billing.charges.writing import Source, earn, standing_of, write
from app.events.envelope import Envelope


def charge_booking(session: Session, event: Envelope, *, now: datetime) -> None:
    """Have charges and ledger follow what an event says of a booking."""
    known = session.scalars(select(BilledBooking).where(BilledBooking.booking_uid == event.aggregate_id)).one_or_none()
    if known is not None and event.seq <= known.seq:
        return
    place = place_of(session, event.data["space_id"])
    before = read(known) if known else None
    booking = bookings.advance(before, event.type, with_vat(session, place, event))
    row = _keep(session, known, event, place, booking)
    source = Source(f"event:{event.event_id}", place, event.aggregate_id, row.member_id, now)
    if not bookings.owe_the_same(before, booking):
        _charge(session, source, booking)
    if bookings.is_earned(booking):
        books = months.hold_books(session, place.operator_id)
        earn(session, source, books, day=earned_on(booking, place, event.occurred_at))


def _charge(session: Session, source: Source, booking: Booking) -> None:
    """Make what stands of a booking what is owed for it now."""
    owed = _owed(session, source, booking)
    standing = standing_of(session, source.subject_uid)
    if owed is None and not standing:
        return
    books = months.hold_books(session, source.place.operator_id)
    write(session, source, books, settle(standing, owed), reason=booking.status)


def charge_membership(session: Session, event: Envelope, *, now: datetime) -> None:
    """Charge what a `membership.charged` event asks for; fees are earned at once, deposits never."""
    key, data = f"event:{event.event_id}", event.data
    if session.scalar(select(Charge.id).where(Charge.source == f"{key}:0")) is not None:
        return
    place = place_of(session, data["space_id"])
    member_id = member_id_of(session, data["member_id"])
    party_id = party_of(session, data.get("payer_id"), member_id, place, now=now)
    standing = standing_of(session, event.aggregate_id)
    books = months.hold_books(session, place.operator_id)
    ours = [line for line in data["lines"] if books.is_ours(date.fromisoformat(line["from_day"]))]
    source = Source(key, place, event.aggregate_id, member_id, now)
    write(session, source, books, memberships.changes_of(ours, standing, party_id=party_id), reason="charged")
    earn(session, source, books, day=place.day_of(event.occurred_at))


def earned_on(booking: Booking, place: Place, occurred_at: datetime) -> date:
    """The last day of the supply, or the day on which it became clear that there is none any more."""
    return min(bookings.supply_of(booking, place.zone).service_until, place.day_of(occurred_at))


def with_vat(session: Session, place: Place, event: Envelope) -> dict[str, Any]:
    """The event's data; where it tells a price, with how VAT was decided. Of what was billed elsewhere nobody asks:
    the tables may not even reach back so far."""
    if "gross_cents" not in event.data or event.data.get("vat"):
        return event.data
    day = place.day_of(datetime.fromisoformat(event.data["start"]))
    ours = months.is_ours(session, place.operator_id, day)
    return {**event.data, "vat": vat_where(session, place, day) if ours else {}}


def owed_for(booking: Booking, place: Place, party_id: int) -> Owed:
    """What is owed for a booking altogether."""
    return Owed(
        kind=bookings.kind_of(booking),
        party_id=party_id,
        currency=booking.currency,
        cents=bookings.due(booking),
        vat=Vat.of(booking.vat),
        supply=bookings.supply_of(booking, place.zone),
    )


def _owed(session: Session, source: Source, booking: Booking) -> Owed | None:
    """None where nothing is, or it is billed elsewhere: then nobody need be found who would pay it."""
    place = source.place
    day = place.day_of(booking.starts_at)
    if not bookings.due_gross(booking) or not months.is_ours(session, place.operator_id, day):
        return None
    party_id = party_of(session, booking.payer_uid, source.member_id, source.place, now=source.now)
    return owed_for(booking, source.place, party_id)


def read(row: BilledBooking) -> Booking:
    return Booking(
        status=row.status,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        resource_kind=row.resource_kind,
        payer_uid=str(row.payer_uid) if row.payer_uid else None,
        currency=row.currency,
        price=Cents(row.gross_cents, row.net_cents, row.vat_cents),
        money_cents=row.money_cents,
        vat=row.vat,
        fee_cents=row.fee_cents,
    )


def columns_of(booking: Booking) -> dict[str, Any]:
    """The columns of BilledBooking that follow from events."""
    return {
        "status": booking.status,
        "starts_at": booking.starts_at,
        "ends_at": booking.ends_at,
        "resource_kind": booking.resource_kind,
        "payer_uid": UUID(booking.payer_uid) if booking.payer_uid else None,
        "currency": booking.currency,
        "gross_cents": booking.price.gross,
        "net_cents": booking.price.net,
        "vat_cents": booking.price.vat,
        "money_cents": booking.money_cents,
        "vat": booking.vat,
        "fee_cents": booking.fee_cents,
    }


def _keep(
    session: Session, known: BilledBooking | None, event: Envelope, place: Place, booking: Booking
) -> BilledBooking:
    """Remember the booking as it is now, up to this event."""
    values = {"seq": event.seq, **columns_of(booking)}
    if known is None:
        known = BilledBooking(
            booking_uid=event.aggregate_id,
            operator_id=place.operator_id,
            space_id=place.space_id,
            member_id=member_id_of(session, event.data["member_id"]),
        )
        session.add(known)
    for name, value in values.items():
        setattr(known, name, value)
    session.flush()
    return known
