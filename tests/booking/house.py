"""A space at work: every call is a service call in a transaction of its own, seeing what the caller's scope shows.

Stories begin on a Monday at 08:00 by the clock in Brussels; the space is open from 08:00 to 18:00 every day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.booking import (
    cancelling,
    change_quotes,
    closing,
    deciding,
    listing,
    making,
    moving,
    quoting,
    repeating,
    waiting,
)
from app.booking.making import Made
from app.booking.models import Booking, Closure, Occupancy, Resource, WaitlistEntry
from app.booking.wishes import Wish
from app.db import TenantSession, transaction
from app.events.models import Due, OutboxRow
from app.network.memberships.models import CreditEntry, Membership, PlanVersion
from app.network.models import Member
from app.network.people import Person, acting_for, person_of
from app.tenancy import SYSTEM
from app.timekeeper import Timekeeper
from tests.builders import a_manager, a_member, a_pool, a_role, a_room, a_space

ZONE = ZoneInfo("Europe/Brussels")
MONDAY = date(2026, 3, 2)
MARCH = date(2026, 3, 1)
TICK = timedelta(microseconds=1)
Sessions = sessionmaker[TenantSession]


def at(hour: float, *, day: int = 1) -> datetime:
    """That hour by the clock on the wall, `day` days after the Monday on which stories begin: tomorrow, unless told."""
    midnight = datetime.combine(MONDAY + timedelta(days=day), time(), tzinfo=ZONE)
    return (midnight + timedelta(hours=hour)).astimezone(UTC)


class House:
    def __init__(self, make_session: Sessions) -> None:
        self.make_session = make_session
        self.now = at(8, day=0)
        with self.building() as session:
            self.space = a_space(session)
            self.manager = a_manager(session, self.space)

    # -- the rows around the story ------------------------------------------------------------------------------------
    @contextmanager
    def building(self) -> Iterator[Session]:
        """A transaction that sees everything, to build rows or to look at them."""
        with transaction(self.make_session, SYSTEM) as session:
            yield session

    def member(self, **values: Any) -> Member:
        with self.building() as session:
            return a_member(session, **values)

    def staff(self, role: str) -> Member:
        with self.building() as session:
            member = a_member(session)
            a_role(session, member, role, self.space)
            return member

    def pool(self, **values: Any) -> Resource:
        with self.building() as session:
            return a_pool(session, self.space, **values)

    def room(self, **values: Any) -> Resource:
        with self.building() as session:
            return a_room(session, self.space, **values)

    # -- what people do -----------------------------------------------------------------------------------------------
    def person(self, member: Member) -> Person:
        with self.building() as session:
            return person_of(session, member.id)

    @contextmanager
    def seen_by(self, member: Member, *, keep: bool = True) -> Iterator[tuple[Session, Person]]:
        """A transaction of that member; without `keep` everything is undone at the end."""
        person = self.person(member)
        with self.make_session() as session, session.begin() as undone:
            session.info["scope"] = person.scope
            yield session, person
            if not keep:
                undone.rollback()

    def book(
        self, member: Member, resource: Resource | UUID, start: datetime, end: datetime, *, by: Member | None = None,
        keep: bool = True, **wish: Any
    ) -> Made:  # fmt: skip
        """`member` books, or `by` books for them."""
        with self.seen_by(by or member, keep=keep) as (session, caller):
            owner = acting_for(self.person(member), caller) if by else caller
            return making.make_booking(session, a_wish(resource, start, end, **wish), person=owner, now=self.now)

    def repeat(self, member: Member, resource: Resource, start: datetime, end: datetime, **wish: Any) -> list[Made]:
        with self.seen_by(member) as (session, person):
            return repeating.make_series(session, a_wish(resource, start, end, **wish), person=person, now=self.now)

    def quote(self, member: Member, resource: Resource, start: datetime, end: datetime, **wish: Any) -> dict[str, Any]:
        with self.seen_by(member) as (session, person):
            return quoting.quote(session, a_wish(resource, start, end, **wish), person=person, now=self.now)

    def cancel(self, made: Made, *, by: Member) -> Booking:
        with self.seen_by(by) as (session, person):
            return cancelling.cancel_booking(session, uid_of(made), person=person, now=self.now)

    def move(self, made: Made, *, by: Member, keep: bool = True, **change: Any) -> Booking:
        with self.seen_by(by, keep=keep) as (session, person):
            wanted = moving.Change(**change)
            return moving.change_booking(session, uid_of(made), wanted, person=person, now=self.now)

    def quote_change(self, made: Made, *, by: Member, **change: Any) -> dict[str, Any]:
        with self.seen_by(by) as (session, person):
            wanted = moving.Change(**change)
            return change_quotes.quote_change(session, uid_of(made), wanted, person=person, now=self.now)

    def approve(self, made: Made, *, by: Member) -> Booking:
        with self.seen_by(by) as (session, person):
            return deciding.approve_booking(session, uid_of(made), person=person, now=self.now)

    def refuse(self, made: Made, *, by: Member) -> Booking:
        with self.seen_by(by) as (session, person):
            return deciding.refuse_booking(session, uid_of(made), person=person, now=self.now)

    def accept(self, booking: Booking, *, by: Member) -> Booking:
        with self.seen_by(by) as (session, person):
            return deciding.accept_booking(session, booking.uid, person=person, now=self.now)

    def check_in(self, made: Made, *, by: Member) -> Booking:
        with self.seen_by(by) as (session, person):
            return deciding.check_in(session, uid_of(made), person=person, now=self.now)

    def wait(self, member: Member, resource: Resource, start: datetime, end: datetime) -> WaitlistEntry:
        with self.seen_by(member) as (session, person):
            return waiting.join_waitlist(session, a_wish(resource, start, end), person=person, now=self.now)

    def leave(self, entry: WaitlistEntry, *, by: Member) -> WaitlistEntry:
        with self.seen_by(by) as (session, _):
            return waiting.leave_waitlist(session, entry.uid, now=self.now)

    def preview_closure(self, start: datetime, end: datetime, **wish: Any) -> list[closing.Displaced]:
        with self.seen_by(self.manager) as (session, _):
            wanted = closing.ClosureWish(start=start, end=end, **wish)
            return closing.preview_closure(session, self.space, wanted, now=self.now)

    def close(self, start: datetime, end: datetime, **wish: Any) -> tuple[Closure, list[closing.Displaced]]:
        with self.seen_by(self.manager) as (session, _):
            wanted = closing.ClosureWish(start=start, end=end, **wish)
            return closing.publish_closure(session, self.space, wanted, now=self.now)

    def lift(self, closure: Closure) -> Closure:
        with self.seen_by(self.manager) as (session, _):
            return closing.lift_closure(session, self.space, closure.uid, now=self.now)

    def time_passes(self, until: datetime | None = None) -> None:
        """It becomes `until`, and the timekeeper calls everything that is due by then. The clock ticks at each look."""
        self.now = until or self.now
        ticks = count(1)
        timekeeper = Timekeeper(self.make_session, clock=lambda: self.now + next(ticks) * TICK)
        while timekeeper.run_due():
            pass
        with self.building() as session:
            assert session.scalars(select(Due.last_error).where(Due.last_error.is_not(None))).all() == []

    # -- what is true afterwards --------------------------------------------------------------------------------------
    def booking(self, made: Made | Booking) -> Booking:
        with self.building() as session:
            return session.scalars(select(Booking).where(Booking.uid == uid_of(made))).one()

    def shown(self, made: Made | Booking, *, to: Member) -> dict[str, Any]:
        """The booking as the API shows it."""
        with self.seen_by(to) as (session, person):
            (described,) = listing.show(session, [self.booking(made)], person=person, now=self.now)
            return described

    def entry(self, entry: WaitlistEntry) -> WaitlistEntry:
        with self.building() as session:
            return session.get_one(WaitlistEntry, entry.id)

    def offer_to(self, entry: WaitlistEntry) -> Booking:
        """The hold that was offered to whoever waits."""
        with self.building() as session:
            found = session.get_one(WaitlistEntry, entry.id)
            assert found.booking_id is not None, f"nothing was offered; the entry is {found.status}"
            return session.get_one(Booking, found.booking_id)

    def occupied(self, made: Made | Booking | None = None) -> list[tuple[int, datetime, datetime]]:
        """What the database keeps for a booking, or for everything: (unit, from, to)."""
        query = select(Occupancy).order_by(Occupancy.unit_id, Occupancy.period)
        if made is not None:
            query = query.where(Occupancy.booking_id == made.id)
        with self.building() as session:
            return [(row.unit_id, row.period.lower, row.period.upper) for row in session.scalars(query)]

    def told(self, uid: UUID) -> list[tuple[int, str, dict[str, Any]]]:
        """The events about something: (number, type, data), in order."""
        query = select(OutboxRow).where(OutboxRow.aggregate_id == uid).order_by(OutboxRow.seq)
        with self.building() as session:
            return [(row.seq, row.type, json.loads(row.envelope)["data"]) for row in session.scalars(query)]

    def types_told(self, made: Made | Booking) -> list[str]:
        told = self.told(uid_of(made))
        assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
        return [name for _, name, _ in told]

    def credit(self, membership: Membership, kind: str, *, cycle: date = MARCH) -> int:
        """Minutes left, by adding up every entry."""
        with self.building() as session:
            included = session.get_one(PlanVersion, membership.plan_version_id).included.get(kind, 0)
            entries = session.scalars(select(CreditEntry).where(CreditEntry.membership_id == membership.id)).all()
            return included + sum(e.minutes for e in entries if e.cycle == cycle and e.resource_kind == kind)

    def snapshot(self, made: Made | Booking) -> tuple[Any, ...]:
        """All that a refusal must leave as it was."""
        booking = self.booking(made)
        columns = {column.name: getattr(booking, column.key) for column in Booking.__table__.columns}
        with self.building() as session:
            credits = session.scalars(select(CreditEntry.id).where(CreditEntry.booking_uid == booking.uid)).all()
            due = session.execute(select(Due.kind, Due.subject_id, Due.at)).all()
        return columns, self.occupied(made), sorted(credits), sorted(due), self.told(booking.uid)

    def each_works(self, alternatives: list[dict[str, Any]], member: Member, *, at_least: int = 1, **wish: Any) -> None:
        """Every alternative can be booked as it stands, and none is named twice."""
        named = [(each["resource_id"], each["start"], each["end"]) for each in alternatives]
        assert at_least <= len(set(named)) == len(named) <= 3, named
        for resource, start, end in named:
            instants = datetime.fromisoformat(start), datetime.fromisoformat(end)
            self.book(member, UUID(resource), *instants, keep=False, **wish)


def a_wish(resource: Resource | UUID, start: datetime, end: datetime, **wish: Any) -> Wish:
    uid = resource if isinstance(resource, UUID) else resource.uid
    return Wish(resource_id=uid, start=start, end=end, **wish)


def uid_of(made: Made | Booking) -> UUID:
    uid: UUID = made.row["uid"] if isinstance(made, Made) else made.uid
    return uid
