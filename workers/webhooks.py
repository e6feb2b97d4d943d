"""The webhooks worker: every event of a space becomes a delivery to each receiver outside that asked for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.events.envelope import Envelope
from app.webhooks import event_types
from app.webhooks.fanning_out import fan_out
from app.webhooks.sending import sender
from workers.registry import Consumer, register


def write_deliveries(session: Session, envelope: Envelope, *, now: datetime) -> None:
    """Write a delivery for each receiver that asked for it and may know it. One statement, whatever the event."""
    fan_out(session, envelope, now=now)


# Each event brings what is new by itself, and receivers are told that order is not promised: one that fails holds up no
# other. A commit need not wait for the disk: a sender's does before anything is sent, and what a crash takes is
# fanned out again, under the same key.
WEBHOOKS = register(
    Consumer(
        name="webhooks",
        aggregate_types=tuple(sorted(set(event_types.told().values()))),
        from_="now",
        blocking=False,
        durable=False,
        echoes=True,  # receivers change over to a new version in their own time
        handlers=dict.fromkeys(event_types.told(), write_deliveries),
        sender=sender,
    )
)
