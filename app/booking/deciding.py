"""What happens to a booking after it is made: approved or refused, accepted, checked in, missed, completed, expired."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.booking import freed, occupying
from app.booking.cancelling import cancel, settle_fee
from app.booking.changing import (
    close,
    give_back,
    lock_booking,
    lock_for_change,
    mark,
    may_run_the_desk,
    require_owner_or_desk,
    require_status,
    resource_uid,
    tell,
)
from app.booking.cover import money_cents
from app.booking.fees import is_late
from app.booking.making import due_at
from app.booking.models import Booking, BookingRule, WaitlistEntry
from app.errors import NotFound, Refused
from app.events.catalogue import (
    BookingAccepted,
    BookingApproved,
    BookingCheckedIn,
    BookingCompleted,
    BookingNoShow,
    BookingRefused,
)
from app.events.envelope import instant
from app.network.people import Person
from app.network.roles import FRONT_DESK
from app.timekeeper import due, schedule

NEXT = "booking.next"
LIVE = ("held", "pending", "confirmed", "checked_in")  # time still does something to these
EARLIEST_CHECK_IN = timedelta(minutes=30)


def approve_booking(session: Session, uid: UUID, *, person: Person, now: datetime) -> Booking:
    """Confirm a pending request; it already occupies its units. Repeating it succeeds."""
    booking = _decided(session, uid, person)
    if booking.status == "confirmed":
        return booking
    require_status(booking, "pending")
    _settle(session, booking, status="confirmed", now=now)
    tell(session, booking, BookingApproved, now=now)
    return booking


def refuse_booking(session: Session, uid: UUID, *, person: Person, now: datetime) -> Booking:
    """Refuse a pending request: its units are free again and its cover goes back. Repeating it succeeds.

    What its member moved too late owes its fee, and keeps its credits drawn, as if it had been cancelled then.
    """
    booking = _decided(session, uid, person)
    if booking.status == "refused":
        return booking
    require_status(booking, "pending")
    late = is_late(booking, now=now)
    settle_fee(booking, late=late, now=now)
    close(session, booking, status="refused", reason="staff", now=now)
    returned = [] if late else give_back(session, booking, now=now)
    tell(
        session, booking, BookingRefused, now=now, resource_id=resource_uid(session, booking.resource_id),
        returned=returned, fee_cents=booking.fee_cents, currency=booking.currency,
    )  # fmt: skip
    return booking


def accept_booking(session: Session, uid: UUID, *, person: Person, now: datetime) -> Booking:
    """Take up a hold before it expires; it is confirmed, or pending where the space wants to approve.

    One that is to be paid first is accepted by the desk, which takes the money. Repeating it succeeds. Raises NotFound,
    WrongState, Refused (hold_expired, pay_first).
    """
    booking = lock_for_change(session, uid)
    at_the_desk = to_be_paid(booking) and may_run_the_desk(person, booking)
    if booking.member_id != person.member_id and not at_the_desk:
        raise NotFound()
    if booking.status in ("confirmed", "pending"):
        return booking
    require_status(booking, "held")
    if to_be_paid(booking) and not at_the_desk:
        raise Refused(rule="pay_first", limit=money_cents(booking.cover))
    if booking.hold_expires_at is not None and now >= booking.hold_expires_at:
        raise Refused(rule="hold_expired", limit=instant(booking.hold_expires_at))
    approved = person.may(FRONT_DESK, booking.space_id)
    take_up(session, booking, approved=approved, now=now)
    return booking


def take_up(session: Session, booking: Booking, *, approved: bool, now: datetime) -> None:
    """A locked hold becomes a booking, or a request where the space wants to approve and has not."""
    _settle(session, booking, status=_after_acceptance(session, booking, approved=approved), now=now)
    _entry_is(session, booking, "taken")
    tell(session, booking, BookingAccepted, now=now, status=booking.status)


def to_be_paid(booking: Booking) -> bool:
    """Whether the hold waits for money rather than for a word."""
    return bool(booking.terms.get("pay_first"))


def check_in(session: Session, uid: UUID, *, person: Person, now: datetime) -> Booking:
    """The member has arrived, by their own word or the desk's. Repeating it succeeds.

    Raises NotFound, WrongState, Refused (rule check_in_window) earlier than half an hour before the start or after the
    end.
    """
    booking = lock_for_change(session, uid)
    require_owner_or_desk(person, booking)
    if booking.status == "checked_in":
        return booking
    require_status(booking, "confirmed")
    opens = booking.starts_at - EARLIEST_CHECK_IN
    if not opens <= now < booking.ends_at:
        raise Refused(rule="check_in_window", limit=[instant(opens), instant(booking.ends_at)])
    mark(booking, now=now, status="checked_in", checked_in_at=now)
    session.flush()
    schedule(session, NEXT, booking.id, booking.ends_at)
    tell(session, booking, BookingCheckedIn, now=now, at=instant(now))
    return booking


@due(NEXT)
def advance_booking(session: Session, booking_id: int, *, now: datetime) -> None:
    """What time does to a booking: a hold or an unanswered request expires, nobody came, or it is over."""
    found = session.scalars(select(Booking).where(Booking.id == booking_id)).one_or_none()
    if found is None:
        return
    booking = lock_booking(session, found)
    if booking.status not in LIVE:
        return
    if now < (at := next_at(booking)):
        schedule(session, NEXT, booking.id, at)
    elif booking.status in ("held", "pending"):
        cancel(session, booking, reason="expired", now=now)
    elif booking.status == "confirmed" and now < booking.ends_at:
        _miss(session, booking, now=now)
    else:
        missed = booking.status == "confirmed" and booking.terms.get("no_show_after_minutes") is not None
        _miss(session, booking, now=now) if missed else _complete(session, booking, now=now)


def next_at(booking: Booking) -> datetime:
    """When time next matters to the booking; its end when it has none left."""
    return due_at(
        {
            "status": booking.status,
            "starts_at": booking.starts_at,
            "ends_at": booking.ends_at,
            "hold_expires_at": booking.hold_expires_at,
            "terms": booking.terms,
        }
    )


def _decided(session: Session, uid: UUID, person: Person) -> Booking:
    booking = lock_for_change(session, uid)
    person.require(FRONT_DESK, booking.space_id)
    return booking


def _after_acceptance(session: Session, booking: Booking, *, approved: bool) -> str:
    """What a hold becomes: where the space wants to approve, a request like any other."""
    approval = session.scalar(select(BookingRule.approval).where(BookingRule.resource_id == booking.resource_id))
    return "pending" if approval and not approved else "confirmed"


def _settle(session: Session, booking: Booking, *, status: str, now: datetime) -> None:
    mark(booking, now=now, status=status, hold_expires_at=None)
    session.flush()
    schedule(session, NEXT, booking.id, next_at(booking))


def _miss(session: Session, booking: Booking, *, now: datetime) -> None:
    """Nobody came: the rest of the time is free for others, the price stays due."""
    mark(booking, now=now, status="no_show")
    session.flush()
    if now < booking.ends_at:
        occupying.shorten(session, booking_id=booking.id, until=now)
        freed.announce(session, booking.unit_ids, now=now)
    tell(session, booking, BookingNoShow, now=now, resource_id=resource_uid(session, booking.resource_id))


def _complete(session: Session, booking: Booking, *, now: datetime) -> None:
    mark(booking, now=now, status="completed")
    session.flush()
    tell(session, booking, BookingCompleted, now=now)


def _entry_is(session: Session, booking: Booking, status: str) -> None:
    session.execute(
        update(WaitlistEntry)
        .where(WaitlistEntry.booking_id == booking.id)
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
