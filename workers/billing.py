"""The billing worker: what happens to bookings and memberships becomes charges and postings, to the cent and once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.billing.charges import recording
from app.events.envelope import Envelope
from workers.registry import Consumer, register


def charge_booking(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Charge or take back the difference between what is owed for the booking and what was charged, and post it."""
    recording.charge_booking(session, envelope, now=now)


def charge_membership(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Charge what is owed for the membership, or take back what is owed back, and post it."""
    recording.charge_membership(session, envelope, now=now)


# From the beginning: a booking made before billing was here and used after would else be unknown when it is completed
# or cancelled, and free. What began before an operator's billing did (billing_month.begins) is told too, and charged
# to nobody. Nothing is rebuilt: documents and the ledger build on what was charged.
BILLING = register(
    Consumer(
        name="billing",
        aggregate_types=("booking", "membership"),
        prefetch=10,
        handlers={
            "booking.made": charge_booking,
            "booking.moved": charge_booking,
            "booking.cancelled": charge_booking,
            "booking.approved": charge_booking,
            "booking.refused": charge_booking,
            "booking.accepted": charge_booking,
            "booking.completed": charge_booking,
            "booking.no_show": charge_booking,
            "membership.charged": charge_membership,
        },
    )
)
