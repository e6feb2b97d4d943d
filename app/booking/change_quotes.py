"""What a change of a booking would make of it, without making it: it is made, and unmade.

So a preview promises nothing that the change would not do: the price, what covers it, what is owed for what is given
up, or why it would be refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.booking.changing import find_booking
from app.booking.describing import describe_one
from app.booking.models import Booking
from app.booking.moving import Change, change_booking
from app.booking.quoting import refusal
from app.errors import Refused, SlotTaken
from app.network import audit
from app.network.people import Person


def quote_change(session: Session, uid: UUID, change: Change, *, person: Person, now: datetime) -> dict[str, Any]:
    """`{booking, refusal}`: the booking as it would be, or what changing it now would answer. Nothing of it stays.

    Raises what else a change raises: NotFound, NotAllowed, WrongState, Invalid.
    """
    booking = find_booking(session, uid)
    if booking.member_id != person.member_id:
        audit.note(session, person, "booking.viewed", booking.space_id, str(uid), now)
    recorded = session.info.setdefault("recorded", [])
    before = len(recorded)
    unmade = session.begin_nested()
    try:
        changed = change_booking(session, uid, change, person=person, now=now)
        return {"booking": _described(session, changed, person, now), "refusal": None}
    except (Refused, SlotTaken) as problem:
        return {"booking": None, "refusal": refusal(problem)}
    finally:
        unmade.rollback()
        del recorded[before:]


def _described(session: Session, booking: Booking, person: Person, now: datetime) -> dict[str, Any]:
    return describe_one(session, booking, now=now, with_member=booking.member_id != person.member_id)
