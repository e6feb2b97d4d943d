"""Cancelling: by the member under the terms frozen in the booking, by staff or a closure for free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.booking import cancellation
from app.booking.changing import (
    OPEN,
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
from app.booking.cover import credit_minutes, money_cents
from app.booking.models import Booking, WaitlistEntry
from app.events.catalogue import BookingCancelled
from app.money import round_half_up
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


def fee(booking: Booking, *, now: datetime) -> int:
    """What it costs the member to cancel at `now`, in cents: a part of what is covered by money.

    A booking moved late keeps the fee it would have cost then (`least_fee_cents`), so that moving is no way around.
    """
    by_terms = round_half_up(money_cents(booking.cover) * _fee_percent(booking, now=now), 100)
    return max(by_terms, booking.terms.get("least_fee_cents", 0))


def is_late(booking: Booking, *, now: datetime) -> bool:
    """Whether the member who cancels at `now` loses the credits drawn: too late by the terms, or moved too late."""
    return _fee_percent(booking, now=now) > 0 or bool(booking.terms.get("moved_late"))


def _fee_percent(booking: Booking, *, now: datetime) -> int:
    """By the frozen terms; nothing before the space has said yes."""
    if booking.status != "confirmed":
        return 0
    terms = cancellation.terms_from_json(booking.terms["cancellation"])
    return cancellation.fee_percent(terms, start=booking.starts_at, now=now)


def cancel(
    session: Session, booking: Booking, *, reason: str, now: datetime, alternatives: list[dict[str, Any]] | None = None
) -> None:
    """Free the units of a locked booking, keep the fee or give the cover back, and record it.

    Only a member who cancels too late pays, and then keeps no claim on the credits drawn either: the booking remembers
    how many minutes that were (`forfeited_minutes` in its terms).
    """
    late = reason == "member" and is_late(booking, now=now)
    booking.fee_cents = fee(booking, now=now) if late else 0
    if late and (minutes := credit_minutes(booking.cover)):
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
