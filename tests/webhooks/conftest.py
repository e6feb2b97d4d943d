"""An operator with two spaces, its manager at the API, and the worker's fan-out called as it would come."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, transaction
from app.events import envelope
from app.events.catalogue import DomainEvent
from app.ids import new_id
from app.network.models import Member, Operator, Space
from app.tenancy import SYSTEM
from app.webhooks.fanning_out import fan_out
from app.webhooks.models import WebhookDelivery
from tests.builders import a_member, a_role, a_space, a_token, an_operator
from tests.conftest import Clock
from tests.http.client import Client


class House:
    """An operator, its spaces, and whoever works for it."""

    def __init__(
        self, app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock
    ) -> None:
        self.app, self.session, self.make_session, self.clock = app, session, make_session, clock
        self.operator: Operator = an_operator(session)
        self.space: Space = a_space(session, operator=self.operator)
        self.other_space: Space = a_space(session, operator=self.operator)
        self.manager = self.person("manager", self.operator)

    def person(self, role: str, *on: Any) -> Client:
        """Somebody with a role in each of these places, at the API."""
        member = a_member(self.session)
        for place in on:
            a_role(self.session, member, role, place)
        return self.as_(member)

    def as_(self, member: Member) -> Client:
        token = a_token(self.session, member)
        self.session.commit()
        return Client(self.app, token)

    def happens(self, fact: DomainEvent, *, seq: int = 1, aggregate_id: Any = None, at: datetime | None = None) -> int:
        """The worker is told of an event; how many deliveries it wrote."""
        text = envelope.write(
            fact, event_id=new_id(), aggregate_id=aggregate_id or new_id(), seq=seq, at=at or self.clock.now,
            request_id=None,
        )  # fmt: skip
        return self.hears(text)

    def hears(self, text: str) -> int:
        with transaction(self.make_session, SYSTEM) as session:
            return fan_out(session, envelope.read(text), now=self.clock.now)

    def log(self, webhook_id: int | None = None) -> list[WebhookDelivery]:
        """Every delivery there is, or those of one receiver, oldest first."""
        self.session.rollback()
        rows = select(WebhookDelivery).order_by(WebhookDelivery.id).execution_options(populate_existing=True)
        return list(self.session.scalars(rows if webhook_id is None else rows.filter_by(webhook_id=webhook_id)))


@pytest.fixture
def house(app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock) -> House:
    return House(app, session, make_session, clock)


def said(delivery: WebhookDelivery) -> dict[str, Any]:
    """What its message says."""
    found: dict[str, Any] = json.loads(delivery.body)
    return found
