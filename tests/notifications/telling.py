"""A house whose facts are told: the notifications worker called as it would come, and what it wrote down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import sessionmaker

from app.config import Config
from app.db import TenantSession, raw
from app.ids import new_id
from app.notifications.composing import Stationery
from app.notifications.models import Notification
from app.notifications.sending import Sender
from app.notifications.transport import Transport
from tests.booking.house import House
from tests.notifications.mailbox import ADDRESS
from workers import registry
from workers.handle import EventHandler, Outcome
from workers.subscriptions import subscribe

_RECORDED = raw("SELECT envelope FROM outbox ORDER BY id")
_FORGET = raw("DELETE FROM delivery"), raw("DELETE FROM cursor")


class Teller(House):
    """`tell()` handles every event recorded so far, as the bus would deliver it."""

    def __init__(self, make_session: sessionmaker[TenantSession]) -> None:
        self.consumer = registry.load()["notifications"]
        subscribe(make_session, [self.consumer])
        super().__init__(make_session)

    def tell(self) -> list[Notification]:
        """All there is to send, ever, in the order of deciding."""
        with self.building() as session:
            recorded = session.scalars(_RECORDED).all()
        handler = EventHandler(self.consumer, self.make_session, clock=lambda: self.now)
        for text in recorded:
            outcome = handler.handle(text).outcome
            assert outcome in (Outcome.DONE, Outcome.SKIPPED, Outcome.DUPLICATE), text
        return self.notifications()

    def forget_receipts(self) -> None:
        """As if no event had ever been handled."""
        with self.building() as session:
            for statement in _FORGET:
                session.execute(statement)

    def notifications(self) -> list[Notification]:
        with self.building() as session:
            return list(session.scalars(select(Notification).order_by(Notification.id)))

    def kinds(self) -> list[str]:
        return [notification.kind for notification in self.tell()]

    def change(self, row: Any, **values: Any) -> None:
        """Change a row behind everybody's back."""
        with self.building() as session:
            session.execute(update(type(row)).where(type(row).id == row.id).values(**values))

    def sender(self, transport: Transport, home: Path, **config: Any) -> Sender:
        stationery = Stationery.of(Config(home=home, public_url=ADDRESS, **config))
        return Sender(self.make_session, transport, stationery, clock=lambda: self.now, jitter=lambda: 0.5)

    def handle(self, event: str, aggregate_type: str, data: dict[str, Any], *, event_id: UUID | None = None) -> None:
        """An event of somebody else's, as it comes from the bus."""
        uid = str(new_id())
        text = json.dumps({
            "specversion": "1.0", "id": str(event_id or new_id()), "source": "/passerelle", "type": event,
            "subject": f"{aggregate_type}/{uid}", "time": self.now.isoformat(), "datacontenttype": "application/json",
            "dataversion": 1, "aggregatetype": aggregate_type, "aggregateid": uid, "sequence": 1, "data": data,
        })  # fmt: skip
        handler = EventHandler(self.consumer, self.make_session, clock=lambda: self.now)
        assert handler.handle(text).outcome is Outcome.DONE
