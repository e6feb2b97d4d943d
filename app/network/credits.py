"""Credits of a plan: minutes per kind of resource and cycle, drawn and given back as append-only entries.

The balance of a cycle is never stored: it is what the plan version includes plus the sum of the cycle's entries. Draw
and give back under the lock of the person (app.booking.occupying.lock_person), which also covers the balance read.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.network.memberships.models import CreditEntry


def draw(
    session: Session, *, membership_id: int, member_id: int, space_id: int, cycle: date, resource_kind: str,
    minutes: int, booking_uid: UUID, draw_no: int, at: datetime,
) -> None:  # fmt: skip
    """Draw `minutes` for a booking. The unique key (booking, draw number, reason) refuses a second time."""
    session.execute(
        insert(CreditEntry).values(
            membership_id=membership_id,
            member_id=member_id,
            space_id=space_id,
            cycle=cycle,
            resource_kind=resource_kind,
            minutes=-minutes,
            reason="drawn",
            booking_uid=booking_uid,
            draw_no=draw_no,
            at=at,
        )
    )


def give_back(session: Session, *, booking_uid: UUID, draw_no: int, at: datetime) -> int:
    """Give back exactly what that draw took, to the cycle it came from; the minutes, 0 when nothing was drawn."""
    drawn = session.scalars(
        select(CreditEntry).where(
            CreditEntry.booking_uid == booking_uid, CreditEntry.draw_no == draw_no, CreditEntry.reason == "drawn"
        )
    ).one_or_none()
    if drawn is None:
        return 0
    session.execute(
        insert(CreditEntry).values(
            membership_id=drawn.membership_id,
            member_id=drawn.member_id,
            space_id=drawn.space_id,
            cycle=drawn.cycle,
            resource_kind=drawn.resource_kind,
            minutes=-drawn.minutes,
            reason="returned",
            booking_uid=booking_uid,
            draw_no=draw_no,
            at=at,
        )
    )
    return -drawn.minutes
