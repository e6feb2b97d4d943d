"""A booking that is held, to be paid first or for somebody who waited: what becomes of it when money is there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.changing import lock_booking
from app.booking.cover import money_cents
from app.booking.deciding import take_up
from app.booking.models import Booking

CONFIRMED, TOO_LATE, TOO_LITTLE = "confirmed", "too_late", "too_little"


def confirm_paid(session: Session, uid: UUID, *, payment_uid: UUID, cents: int, now: datetime) -> str:
    """Take up a hold with a payment of so many cents; what came of it says whether the money may stay.

    A hold whose time is over but whose place nobody has freed yet is taken up all the same, until the booking itself
    is over. Money takes up a place that was offered from the waiting list, too. One payment confirms a booking: the
    same again says CONFIRMED, another one TOO_LATE, and so does any for a booking that has ended or that money does not
    cover. What does not suffice is TOO_LITTLE: it goes on being held.
    """
    found = session.scalars(select(Booking).where(Booking.uid == uid)).one_or_none()
    if found is None:
        return TOO_LATE
    booking = lock_booking(session, found)
    if booking.terms.get("paid_by") == str(payment_uid):
        return CONFIRMED
    owed = money_cents(booking.cover)
    if booking.status != "held" or not owed or now >= booking.ends_at:
        return TOO_LATE
    if cents < owed:
        return TOO_LITTLE
    booking.terms = {**booking.terms, "paid_by": str(payment_uid)}
    take_up(session, booking, approved=False, now=now)
    return CONFIRMED
