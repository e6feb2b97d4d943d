"""Booking, moving, cancelling, closing, lifting, checking in and time itself, in any order, against the naive model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import make_url, select, text

from app.booking.closing import AlreadyClosed
from app.booking.models import Booking, Closure, Occupancy, Resource, Unit
from app.db import make_engine, sessions
from app.errors import Invalid, Refused, SlotTaken, WrongState
from app.events.models import OutboxRow
from app.network.memberships.models import CreditEntry
from app.network.models import Member
from app.timekeeper import Timekeeper
from tests.booking.house import House, at
from tests.booking.naive_house import Booked, NaiveHouse, Place
from tests.builders import a_member, a_membership, a_resource, a_room, a_unit

INCLUDED = {"room": 300, "desk_pool": 180}
CLEAR = """
    DELETE FROM occupancy; DELETE FROM due; DELETE FROM outbox; DELETE FROM credit_entry; DELETE FROM booking;
    DELETE FROM closure; UPDATE space SET event_seq = 0 WHERE event_seq <> 0
"""
places = st.integers(0, 3)
days = st.integers(1, 2)
halves = st.integers(16, 33)
lengths = st.integers(1, 6)
some = st.integers(0, 30)


@dataclass
class World:
    """The rows that all examples share."""

    house: House
    members: list[Member]
    resources: list[Resource]
    places: list[Place]
    projector: Resource
    beamer: int


@pytest.fixture(scope="module")
def world(server: str, template: str) -> Iterator[World]:
    name = f"{template}_model"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        engine = make_engine(make_url(server).set(database=name).render_as_string(hide_password=False))
        yield built(House(sessions(engine)))
        engine.dispose()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def built(house: House) -> World:
    """Two rooms that open into one, three desks, one projector; three members, of whom the first has credits."""
    with house.building() as session:
        a, b, beamer = (a_unit(session, house.space) for _ in range(3))
        desks = [a_unit(session, house.space) for _ in range(3)]
        airing = {"buffer_after_minutes": 60}
        resources = [
            a_room(session, house.space, unit=a, rules={"cancellation": [[24, 0], [0, 100]]}),
            a_room(session, house.space, unit=b, rules=airing),
            a_resource(session, house.space, kind="room", units=[a, b], takes="all", capacity=16, rules=airing),
            a_resource(session, house.space, kind="desk_pool", units=desks, rules={"no_show_after_minutes": 30}),
        ]
        projector = a_resource(session, house.space, kind="equipment", units=[beamer])
        members = [a_member(session) for _ in range(3)]
        a_membership(session, members[0], house.space, included=INCLUDED)
    naive = [
        Place("A", "room", (a.id,), late_hours=24),
        Place("B", "room", (b.id,), airing=60),
        Place("A+B", "room", (a.id, b.id), takes="all", airing=60),
        Place("desks", "desk_pool", tuple(desk.id for desk in desks), grace=30),
    ]
    return World(house, members, resources, naive, projector, beamer.id)


class Days(RuleBasedStateMachine):
    """Every answer must be the model's, and afterwards the database must hold what the model holds."""

    world: World

    @initialize()
    def a_tuesday_morning(self) -> None:
        self.house = self.world.house
        self.house.now = at(7)
        with self.house.building() as session:
            session.connection().execute(text(CLEAR))
        credit: dict[tuple[int, str], int] = defaultdict(int)
        credit |= {(0, kind): minutes for kind, minutes in INCLUDED.items()}
        self.model = NaiveHouse(self.world.beamer, credit, self.house.now)
        self.made: list[Any] = []
        self.closures: list[Closure] = []

    @rule(member=st.integers(0, 2), place=places, day=days, half=halves, length=lengths, extra=st.booleans())
    def book(self, member: int, place: int, day: int, half: int, length: int, extra: bool) -> None:
        start, end = period(day, half, length)
        naive, wish = self.world.places[place], {"extras": (self.world.projector.uid,)} if extra else {}
        choices = self.model.free_choices(naive, start, end, extra)
        try:
            made = self.house.book(self.world.members[member], self.world.resources[place], start, end, **wish)
        except Refused as refused:
            assert refused.rule == "in_the_past"
            assert start < self.house.now
        except SlotTaken:
            assert choices == []
        else:
            assert start >= self.house.now
            assert made.row["unit_ids"] in choices
            drawn = self.model.draw(member, naive, start, end)
            assert drawn == sum(part.get("minutes", 0) for part in made.row["cover"])
            units, price = made.row["unit_ids"], made.row["gross_cents"]
            self.model.take(made.id, Booked(member, naive, start, end, extra, units, drawn, price))
            self.made.append(made)

    @precondition(lambda self: self.made)
    @rule(which=some)
    def cancel(self, which: int) -> None:
        made, booked = self._one(which)
        if booked.status not in ("confirmed", "cancelled"):
            with pytest.raises(WrongState):
                self.house.cancel(made, by=self.world.members[booked.owner])
            return
        self.house.cancel(made, by=self.world.members[booked.owner])
        if booked.status == "confirmed":
            self.model.cancel(made.id, keep_credit=booked.is_late(self.house.now))

    @precondition(lambda self: self.made)
    @rule(which=some, place=places, day=days, half=halves, length=lengths)
    def move(self, which: int, place: int, day: int, half: int, length: int) -> None:
        (made, booked), (start, end) = self._one(which), period(day, half, length)
        naive = self.world.places[place]
        choices = self.model.free_choices(naive, start, end, booked.with_extra, but=made.id)
        change = {"resource_id": self.world.resources[place].uid, "start": start, "end": end}
        try:
            moved = self.house.move(made, by=self.world.members[booked.owner], **change)
        except WrongState:
            assert booked.status != "confirmed"
        except Refused as refused:
            assert refused.rule == "in_the_past"
            assert start < self.house.now
        except SlotTaken:
            assert choices == []
        else:
            assert booked.status == "confirmed"
            assert moved.unit_ids in choices
            late = booked.is_late(self.house.now)
            self.model.release(made.id)
            back = self.model.give_back(booked)
            drawn = self.model.draw(booked.owner, naive, start, end)
            again = Booked(
                booked.owner, naive, start, end, booked.with_extra, moved.unit_ids, drawn, moved.gross_cents,
                moved_late=late,
            )  # fmt: skip
            self.model.keep(again, booked, back, late=late)
            self.model.take(made.id, again)

    @precondition(lambda self: self.made)
    @rule(which=some)
    def check_in(self, which: int) -> None:
        made, booked = self._one(which)
        if self.model.may_check_in(booked):
            self.house.check_in(made, by=self.world.members[booked.owner])
            booked.status = "checked_in"
        elif booked.status != "checked_in":
            with pytest.raises(WrongState if booked.status != "confirmed" else Refused):
                self.house.check_in(made, by=self.world.members[booked.owner])

    @rule(day=days, half=halves, length=lengths, whole=st.booleans(), place=places)
    def close(self, day: int, half: int, length: int, whole: bool, place: int) -> None:
        start, end = period(day, half, length)
        units = sorted({unit for each in self.world.places for unit in each.units} | {self.world.beamer})
        units = units if whole else list(self.world.places[place].units)
        begins = max(start, self.house.now)
        try:
            closure, displaced = self.house.close(start, end, unit_ids=None if whole else self._uids(units))
        except Invalid:
            assert end <= self.house.now
        except AlreadyClosed:
            assert self.model.is_closed(units, begins, end)
        else:
            assert not self.model.is_closed(units, begins, end)
            assert {each.booking.id for each in displaced} == self.model.displaced_by(units, begins, end)
            self.model.close(("closure", closure.id), units, begins, end)
            self.closures.append(closure)

    @precondition(lambda self: self.closures)
    @rule(which=some)
    def lift(self, which: int) -> None:
        closure = self.closures[which % len(self.closures)]
        self.house.lift(closure)
        self.model.release(("closure", closure.id))

    @rule(hours=st.sampled_from([0.5, 1, 2, 24]))
    def time_passes(self, hours: float) -> None:
        self._it_becomes(self.house.now + timedelta(hours=hours))

    @precondition(lambda self: self.made)
    @rule(which=some)
    def nobody_has_come_yet(self, which: int) -> None:
        _, booked = self._one(which)
        self._it_becomes(max(self.house.now, booked.start + timedelta(minutes=30)))

    def _it_becomes(self, now: datetime) -> None:
        self.house.now = now
        timekeeper = Timekeeper(self.house.make_session, clock=lambda: self.house.now)
        while timekeeper.run_due():
            pass
        self.model.time_passes(self.house.now)

    @invariant()
    def the_database_holds_what_the_model_holds(self) -> None:
        with self.house.building() as session:
            stays = [(o.unit_id, o.period.lower, o.period.upper) for o in session.scalars(select(Occupancy))]
            bookings = {booking.id: booking for booking in session.scalars(select(Booking))}
            drawn = session.execute(select(CreditEntry.resource_kind, CreditEntry.minutes)).all()
            told = session.execute(select(OutboxRow.aggregate_id, OutboxRow.seq, OutboxRow.type)).all()
        assert sorted(stays) == sorted((stay.unit, stay.start, stay.end) for stay in self.model.stays)
        assert not [pair for pair in combinations(sorted(stays), 2) if overlap(*pair)]
        assert {id: row.status for id, row in bookings.items()} == {
            id: booked.status for id, booked in self.model.bookings.items()
        }
        for kind, included in INCLUDED.items():
            assert included + sum(minutes for of, minutes in drawn if of == kind) == self.model.credit[0, kind] >= 0
        self._everybody_was_told_what_is(bookings, told, stays)

    def _everybody_was_told_what_is(self, bookings: dict[int, Booking], told: Any, stays: list[Any]) -> None:
        """Events are numbered without a gap, and whoever was told "booked", and nothing else since, has the place."""
        numbered: dict[Any, dict[int, str]] = defaultdict(dict)
        for aggregate, seq, name in told:
            numbered[aggregate][seq] = name
        assert all(sorted(events) == list(range(1, len(events) + 1)) for events in numbered.values())
        for booking in bookings.values():
            events = numbered[booking.uid]
            if events[len(events)] in ("booking.made", "booking.moved"):
                assert booking.status == "confirmed"
                for unit in booking.unit_ids:
                    assert any(u == unit and s <= booking.starts_at and booking.ends_at <= e for u, s, e in stays)

    def _one(self, which: int) -> tuple[Any, Booked]:
        made = self.made[which % len(self.made)]
        return made, self.model.bookings[made.id]

    def _uids(self, unit_ids: list[int]) -> tuple[Any, ...]:
        with self.house.building() as session:
            return tuple(session.scalars(select(Unit.uid).where(Unit.id.in_(unit_ids))))


def period(day: int, half: int, length: int) -> tuple[datetime, datetime]:
    """Half-hours from 08:00 to 18:00."""
    return at(half / 2, day=day), at(min(half + length, 36) / 2, day=day)


def overlap(one: Any, other: Any) -> bool:
    return bool(one[0] == other[0] and one[1] < other[2] and other[1] < one[2])


def test_any_sequence_of_bookings_moves_cancellations_and_closures_ends_as_the_model_says(world: World) -> None:
    Days.world = world
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Days,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
