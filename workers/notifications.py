"""The notifications worker: what happened to a booking is told to its member, and what ended to who manages it."""

from __future__ import annotations

from app.notifications.deciding import tell_member, tell_staff
from app.notifications.sending import sender
from workers.registry import Consumer, register

# A mail stands alone: its row is keyed by its event and says what that event said, so one that fails holds up none of
# the others; and a reminder, which does depend on the order, asks the booking itself once its time has come.
NOTIFICATIONS = register(
    Consumer(
        name="notifications",
        aggregate_types=("booking", "waitlist_entry", "webhook"),
        from_="now",
        blocking=False,
        sender=sender,
        handlers={
            "booking.made": tell_member,
            "booking.approved": tell_member,
            "booking.accepted": tell_member,
            "booking.moved": tell_member,
            "booking.cancelled": tell_member,
            "booking.refused": tell_member,
            "waitlist.offered": tell_member,
            "webhook.disabled": tell_staff,
        },
    )
)
