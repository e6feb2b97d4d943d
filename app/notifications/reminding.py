"""The reminder: the day before a booking, at the same time on the wall.

It is put on the timekeeper's list when a booking stands, moved with it, and taken off when it is over. Whatever order
events come in, the booking itself is asked again when the time has come.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.booking.localtime import clock_instants
from app.events.envelope import Envelope, instant
from app.notifications.facts import Subject, booking_facts, subject_by_id
from app.notifications.writing import write
from app.timekeeper import due, schedule, unschedule

REMIND = "notification.reminder"
KIND = "reminder"
BEFORE = timedelta(hours=24)  # on the wall: a day whose clock changes has more or fewer

STANDS = ("booking.made", "booking.approved", "booking.accepted", "booking.moved")
ENDS = ("booking.cancelled", "booking.refused")


def remind_at(start: datetime, zone: str) -> datetime:
    """The instant at which the clock of `zone` showed, a day before, what it shows at `start`."""
    wall = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return clock_instants(wall - BEFORE, ZoneInfo(zone))[0]


def follow(session: Session, subject: Subject, envelope: Envelope) -> None:
    """Keep the reminder's time in step with the booking. Who books later than that has it in mind anyway."""
    if envelope.type not in (*STANDS, *ENDS):
        return
    at = remind_at(subject.booking.starts_at, subject.zone)
    if subject.booking.status == "confirmed" and at > envelope.occurred_at:
        schedule(session, REMIND, subject.booking.id, at)
    else:
        unschedule(session, REMIND, subject.booking.id)


@due(REMIND)
def remind(session: Session, booking_id: int, *, now: datetime) -> None:
    """Write down the reminder, if the booking still stands and has not begun; later, if it was moved to later."""
    subject = subject_by_id(session, booking_id)
    if subject is None or subject.booking.status != "confirmed" or subject.erased:
        return
    booking = subject.booking
    if now >= booking.starts_at:
        return
    if now < (at := remind_at(booking.starts_at, subject.zone)):
        schedule(session, REMIND, booking.id, at)
        return
    write(
        session,
        kind=KIND,
        about=f"{booking.uid}-{instant(booking.starts_at)}",
        member_id=booking.member_id,
        member_uid=subject.member_uid,
        locale=subject.locale,
        booking=booking,
        facts=booking_facts(subject, {}),
        useless_after=booking.starts_at,
        now=now,
    )
