"""The billing worker on the real events of real bookings: what was told over HTTP is what is charged, and once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.billing.charges.models import Charge
from app.db import TenantSession, raw, transaction
from app.events.envelope import instant
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper
from tests.booking.house import at
from tests.builders import a_member, a_membership, a_room, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client
from workers.billing import BILLING
from workers.handle import EventHandler, Outcome

LATE_COSTS_HALF = {"cancellation": [[24, 0], [0, 50]]}
_TEXTS = raw("SELECT envelope FROM outbox WHERE aggregate_type IN ('booking', 'membership') ORDER BY id")


def test_every_event_that_changes_what_is_owed_is_handled() -> None:
    without_effect = {"booking.checked_in", "booking.edited"}
    bookings = {name for name in BILLING.event_types if name.startswith("booking.")}
    assert {name for name in BILLING.handlers if name.startswith("booking.")} == bookings - without_effect
    assert BILLING.blocking and BILLING.durable and not BILLING.rebuilds and BILLING.from_ == "beginning"


class Town:
    """A space with one room at EUR 5 an hour, and somebody who books it over HTTP."""

    def __init__(self, make_session: sessionmaker[TenantSession], session: TenantSession, app: Flask, clock: Clock):
        self.make_session, self.session, self.clock = make_session, session, clock
        self.space = a_space(session)
        self.room = a_room(session, self.space, rules=LATE_COSTS_HALF)
        self.member = a_member(session)
        self.api = Client(app, a_token(session, self.member))
        session.commit()
        self.handler = EventHandler(BILLING, make_session, clock=clock)

    def book(self, day: int) -> Any:
        """From 13:00 to 15:00, so many days after today."""
        start, end = (instant(at(hour, day=day)) for hour in (13, 15))
        made = self.api.post("/bookings", json={"resource_id": str(self.room.uid), "start": start, "end": end})
        assert made.status_code == 201, made.json
        return made.json

    def work(self, times: int = 1) -> list[Outcome]:
        """Hand the worker everything recorded so far."""
        with transaction(self.make_session, SYSTEM) as session:
            texts = list(session.scalars(_TEXTS))
        return [self.handler.handle(text).outcome for _ in range(times) for text in texts]

    def charged(self, booking: dict[str, Any]) -> int:
        self.session.rollback()
        found = self.session.scalars(select(Charge.gross_cents).where(Charge.subject_uid == booking["id"]))
        return sum(found)


@pytest.fixture
def town(make_session: sessionmaker[TenantSession], session: TenantSession, app: Flask, clock: Clock) -> Town:
    return Town(make_session, session, app, clock)


def test_what_members_are_told_a_booking_costs_is_what_they_are_charged(town: Town) -> None:
    stays, moves, cancels_late, cancels_early = (town.book(day) for day in (5, 6, 0, 9))
    assert stays["price"]["amount_cents"] == 1210
    path = f"/bookings/{moves['id']}"
    moved = town.api.patch(path, json={"end": instant(at(16, day=6))}, etag="*").json
    for booking in (cancels_late, cancels_early):
        town.api.delete(f"/bookings/{booking['id']}", etag="*")
    town.work(times=2)
    assert [town.charged(each) for each in (stays, moves, cancels_late, cancels_early)] == [
        1210, moved["price"]["amount_cents"], 605, 0,
    ]  # fmt: skip
    assert moved["price"]["amount_cents"] == 1815
    mine = town.api.get("/me/charges").json
    assert sum(each["price"]["amount_cents"] for each in mine) == 1210 + 1815 + 605
    assert {(each["vat"]["permille"], each["vat"]["includes_vat"]) for each in mine} == {(210, False)}


def test_when_time_is_over_what_was_charged_is_income(town: Town) -> None:
    booking = town.book(5)
    town.clock.now += timedelta(days=10)
    Timekeeper(town.make_session, clock=town.clock).run_due()
    assert set(town.work()) == {Outcome.DONE}
    town.session.rollback()
    (charge,) = town.session.scalars(select(Charge)).all()
    assert str(charge.subject_uid) == booking["id"]
    assert charge.earned_on == charge.service_from


def test_hours_of_a_plan_are_not_charged_again(town: Town) -> None:
    a_membership(town.session, town.member, town.space, included={"room": 60})
    town.session.commit()
    booking = town.book(5)
    assert [part["source"] for part in booking["cover"]] == ["credit", "money"]
    town.work()
    assert town.charged(booking) == 605


def test_an_event_that_cannot_be_charged_holds_up_those_behind_it(town: Town) -> None:
    booking = town.book(5)
    town.session.execute(raw("ALTER TABLE charge ADD CONSTRAINT no CHECK (gross_cents < 0) NOT VALID"))
    town.session.commit()
    town.api.delete(f"/bookings/{booking['id']}", etag="*")
    assert town.work() == [Outcome.FAILED, Outcome.PARKED]
    assert town.charged(booking) == 0
