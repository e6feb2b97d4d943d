"""Cancelling: by the member under the terms frozen in the booking, by staff or a closure for free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.booking.changing import (
    close,
    find_booking,
    give_back,
    lock_booking,
    require_not_over,
    require_owner_or_desk,
    require_status,
    resource_uid,
    tell,
)
from app.booking.cover import credit_minutes
from app.booking.fees import OPEN, fee, is_late
from app.booking.models import Booking, WaitlistEntry
from app.events.catalogue import BookingCancelled
from app.network.people import Person

# What becomes of the waiting-list entry behind a hold that ends: by whom it ended.
ENTRY_AFTER = {"member": "cancelled", "staff": "cancelled", "closure": "waiting", "expired": "lapsed"}


def cancel_booking(
    session: Session, uid: UUID, *, person: Person, now: datetime, check: Callable[[Booking], None] = lambda _: None
) -> Booking:
    """Cancel a booking; repeating it succeeds and changes nothing.

    `check` is asked about the version (If-Match) once the booking is known not to be cancelled yet. Raises NotFound,
    NotAllowed, or WrongState for one that is over or has been used.
    """
    booking = lock_booking(session, find_booking(session, uid))
    require_owner_or_desk(person, booking)
    if booking.status == "cancelled":
        return booking
    check(booking)
    require_status(booking, *OPEN)
    require_not_over(booking, now=now)
    by_owner = booking.member_id == person.member_id
    cancel(session, booking, reason="member" if by_owner else "staff", now=now)
    return booking


def cancel(
    session: Session, booking: Booking, *, reason: str, now: datetime, alternatives: list[dict[str, Any]] | None = None
) -> None:
    """Free the units of a locked booking, keep the fee or give the cover back, and record it.

    Only a member who cancels too late pays, and then keeps no claim on the credits drawn either: the booking remembers
    how many minutes that were (`forfeited_minutes` in its terms).
    """
    late = reason == "member" and is_late(booking, now=now)
    booking.fee_cents = fee(booking, now=now) if late else 0
    if late and (minutes := credit_minutes(booking.cover) + booking.terms.get("forfeited_minutes", 0)):
        booking.terms = {**booking.terms, "forfeited_minutes": minutes}
    held = booking.status == "held"
    close(session, booking, status="cancelled", reason=reason, now=now)
    returned = [] if late else give_back(session, booking, now=now)
    if held:
        _settle_entry(session, booking, ENTRY_AFTER[reason])
    tell(
        session,
        booking,
        BookingCancelled,
        now=now,
        resource_id=resource_uid(session, booking.resource_id),
        reason=reason,
        fee_cents=booking.fee_cents,
        currency=booking.currency,
        returned=returned,
        alternatives=alternatives,
    )


def _settle_entry(session: Session, booking: Booking, status: str) -> None:
    """The waiting-list entry that this hold was offered to goes on accordingly."""
    session.execute(
        update(WaitlistEntry)
        .where(WaitlistEntry.booking_id == booking.id, WaitlistEntry.status == "offered")
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
