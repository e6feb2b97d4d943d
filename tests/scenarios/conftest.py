"""A town for whole stories: people over HTTP, the timekeeper and the workers called as they would come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import icalendar
import pytest
from flask import Flask
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, raw, transaction
from app.network.models import Member
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper
from tests.builders import a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client
from workers import registry
from workers.handle import EventHandler
from workers.subscriptions import subscribe

BRUSSELS = ZoneInfo("Europe/Brussels")
_RECORDED = raw("SELECT envelope FROM outbox ORDER BY id")


class Town:
    """One space in Ath; it is Monday 2 March 2026, 09:00 on the wall."""

    def __init__(
        self, app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock
    ) -> None:
        self.app, self.session, self.make_session, self.clock = app, session, make_session, clock
        self.space = a_space(session, name="Coworking Ath")

    def as_(self, member: Member) -> Client:
        """The API as a member meets it."""
        token = a_token(self.session, member)
        self.session.commit()
        return Client(self.app, token)

    def at(self, clock_time: str, *, days: int = 0) -> str:
        """An instant in RFC 3339: that time on the wall, so many days from today."""
        hour, minute = map(int, clock_time.split(":"))
        day = self.clock.now.astimezone(BRUSSELS) + timedelta(days=days)
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0).isoformat()

    def period(self, start: str, end: str, *, days: int = 0) -> dict[str, str]:
        return {"start": self.at(start, days=days), "end": self.at(end, days=days)}

    def everyone_is_told(self) -> None:
        """The workers handle whatever has been recorded; what they have handled before is nothing new to them."""
        with transaction(self.make_session, SYSTEM) as session:
            envelopes = session.scalars(_RECORDED).all()
        for consumer in registry.load().values():
            handler = EventHandler(consumer, self.make_session, clock=self.clock)
            for text in envelopes:
                handler.handle(text)

    def time_passes(self, **amount: float) -> None:
        """The hands move, and the timekeeper does what has become due until nothing is."""
        self.clock.pass_by(**amount)
        timekeeper = Timekeeper(self.make_session, clock=self.clock, handlers=_due_handlers())
        while timekeeper.run_due():
            pass


def _due_handlers() -> dict[str, Callable[..., object]]:
    from app.timekeeper import HANDLERS

    registry.load()
    return HANDLERS


@pytest.fixture
def town(app: Flask, session: TenantSession, make_session: sessionmaker[TenantSession], clock: Clock) -> Town:
    subscribe(make_session, registry.load().values())
    return Town(app, session, make_session, clock)


def open_feed(api: Client, scope: str = "me", **subject: str) -> str:
    """The path of a new subscription."""
    return urlsplit(api.post("/feeds", json={"scope": scope, "name": "Phone", **subject}).json["url"]).path


def in_feed(town: Town, path: str) -> list[Any]:
    """The VEVENTs that a phone reads there."""
    answer = town.app.test_client().get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(icalendar.Calendar.from_ical(answer.data).walk("VEVENT"))


def starts(event: Any) -> datetime:
    found: datetime = event["DTSTART"].dt
    return found
