"""Cancelling: by the member under the terms frozen in the booking, by staff or a closure for free.

A confirmed booking that its member moves late may become a request. What giving it up would have cost then is owed all
the same when nobody answers it in time, or with no (app.booking.deciding): asking for what will not be granted is no
way around the fee. Staff who want to spare the member cancel it.
"""

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

FREE = ("staff", "closure")  # who cancels at no cost to the member, however late
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

    Only a member who cancels too late, or whose request expires after a late move, pays and loses the credits drawn.
    """
    late = reason not in FREE and is_late(booking, now=now)
    settle_fee(booking, late=late, now=now)
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


def settle_fee(booking: Booking, *, late: bool, now: datetime) -> None:
    """Write down what a booking that ends now leaves owed: its fee, where that is too `late` to be free, and then no
    claim on the credits drawn either: it remembers how many minutes that were (`forfeited_minutes`). Else nothing.

    What was owed beside the price (`change_fee_cents`) is in the fee, or not owed: it is not said twice.
    """
    booking.fee_cents = fee(booking, now=now) if late else 0
    minutes = credit_minutes(booking.cover) + booking.terms.get("forfeited_minutes", 0)
    left = {"change_fee_cents": 0, "forfeited_minutes": minutes if late else 0}
    told = {name: value for name, value in left.items() if value or name in booking.terms}
    booking.terms = {**booking.terms, **told}


def _settle_entry(session: Session, booking: Booking, status: str) -> None:
    """The waiting-list entry that this hold was offered to goes on accordingly."""
    session.execute(
        update(WaitlistEntry)
        .where(WaitlistEntry.booking_id == booking.id, WaitlistEntry.status == "offered")
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
