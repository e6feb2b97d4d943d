"""A booking that was held until it is paid: what becomes of it when the money is there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.changing import lock_booking
from app.booking.cover import money_cents
from app.booking.deciding import take_up, to_be_paid
from app.booking.models import Booking

CONFIRMED, TOO_LATE, TOO_LITTLE = "confirmed", "too_late", "too_little"


def confirm_paid(session: Session, uid: UUID, *, payment_uid: UUID, cents: int, now: datetime) -> str:
    """Take up a hold with a payment of so many cents; what came of it says whether the money may stay.

    A hold whose time is over but whose place nobody has freed yet is taken up all the same. One payment confirms a
    booking: the same again says CONFIRMED, another one TOO_LATE, and so does any for a booking that has ended. The
    price may have risen meanwhile, by a move: then it is TOO_LITTLE, and goes on being held.
    """
    found = session.scalars(select(Booking).where(Booking.uid == uid)).one_or_none()
    if found is None:
        return TOO_LATE
    booking = lock_booking(session, found)
    if booking.terms.get("paid_by") == str(payment_uid):
        return CONFIRMED
    if booking.status != "held" or not to_be_paid(booking):
        return TOO_LATE
    if cents < money_cents(booking.cover):
        return TOO_LITTLE
    booking.terms = {**booking.terms, "paid_by": str(payment_uid)}
    take_up(session, booking, approved=False, now=now)
    return CONFIRMED
