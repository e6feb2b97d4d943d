"""The bookings of the demonstration as they would have been made: priced, covered, occupied, recorded and due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.booking import rules
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.pricing import quote_price
from app.booking.cover import cover_of, credit_minutes
from app.booking.localtime import clock_instants, local_day
from app.booking.making import Made, due_at, fact_of
from app.booking.models import Booking, Closure, Occupancy, WaitlistEntry
from app.booking.planning import Line, Plan
from app.booking.rules import Standing
from app.booking.situation import Situation
from app.booking.wishes import SOURCES, Wish
from app.demo import stays
from app.demo.calendar_months import last_month
from app.demo.people import People
from app.demo.stays import Stay, next_open_day
from app.events.catalogue import BookingCompleted, DomainEvent, SpaceClosed
from app.events.envelope import instant
from app.events.models import Due
from app.events.outbox import insert_events, record
from app.ids import new_id
from app.network.credits import Drawn, entry_of
from app.network.memberships.cycles import cycle_of
from app.network.memberships.models import CreditEntry, Membership
from app.network.memberships.pools import Balance, balances_of, pools_of
from app.network.models import Space

CREATED_BEFORE = timedelta(days=3)


def add_bookings(
    session: Session, spaces: dict[str, Space], offers: dict[str, list[Offer]], people: People, *, now: datetime
) -> int:
    """Fill the calendars; the number of bookings."""
    plan = stays.Plan(now)
    _close_a_room(session, plan, spaces["cristal-hub"], _rooms(offers["cristal-hub"])[0])
    _let_accounts_stay(plan, offers, people)
    wanted = _fill_a_room(plan, offers["soignies"], people)
    stays.fill(plan, offers, people)
    _insert(session, plan.stays, people, now=now)
    waiting = people.regulars["soignies"][1]
    session.add(
        WaitlistEntry(
            space_id=wanted.offer.space_id,
            resource_id=wanted.offer.resource_id,
            member_id=waiting.id,
            starts_at=wanted.start,
            ends_at=wanted.end,
        )
    )
    return len(plan.stays)


def _rooms(offers: list[Offer]) -> list[Offer]:
    return [offer for offer in offers if offer.kind == "room"]


def _let_accounts_stay(plan: stays.Plan, offers: dict[str, list[Offer]], people: People) -> None:
    """What the accounts find when they sign in, and a request for the manager in Nantes to answer."""
    pool, room, *_ = offers["ath"]
    combined = next(offer for offer in offers["la-cantine"] if offer.takes == "all")
    for login, offer, ahead, times, title in (
        ("member", pool, -9, ("09:00", "12:00"), ""),
        ("member", pool, -4, ("09:00", "17:00"), ""),
        ("member", pool, 2, ("13:00", "17:00"), ""),
        ("member", room, 3, ("10:00", "11:30"), "Rendez-vous comptable"),
        ("payg", pool, 4, ("09:00", "12:30"), ""),
        ("teleworker", pool, 5, ("09:00", "17:00"), ""),
        ("payg", combined, 6, ("14:00", "18:00"), "Assemblée générale"),
    ):
        day = next_open_day(offer, local_day(plan.now, offer.zone) + timedelta(days=ahead), times)
        plan.add(offer, people.accounts[login], day, times, title)
    _let_invoices_be_due(plan, offers, people)


def _let_invoices_be_due(plan: stays.Plan, offers: dict[str, list[Offer]], people: People) -> None:
    """What three customers did last month; the account's plan covers only some of it."""
    rooms = {slug: _rooms(offers[slug])[0] for slug in ("ath", "namur", "la-cantine")}
    account, companies = people.accounts["member"], people.companies
    for offer, member, day_of_month, times, title in (
        (rooms["ath"], account, 6, ("09:00", "12:00"), "Atelier"),
        (rooms["ath"], account, 13, ("13:30", "17:00"), "Formation"),
        (offers["ath"][0], account, 14, ("09:00", "17:00"), ""),
        (rooms["namur"], companies["namur"], 7, ("09:00", "12:00"), "Réunion d'équipe"),
        (offers["namur"][0], companies["namur"], 8, ("09:00", "17:00"), ""),
        (rooms["la-cantine"], companies["la-cantine"], 9, ("10:00", "16:00"), "Atelier"),
    ):
        first = last_month(plan.now)
        plan.add(offer, member, next_open_day(offer, first.replace(day=day_of_month), times), times, title)


def _fill_a_room(plan: stays.Plan, offers: list[Offer], people: People) -> Stay:
    """A stay that somebody else waits for."""
    room, times = _rooms(offers)[0], ("09:00", "12:00")
    day = next_open_day(room, local_day(plan.now, room.zone) + timedelta(days=3), times)
    stay = plan.add(room, people.regulars["soignies"][0], day, times, "Formation")
    assert stay is not None, "the calendar was empty and the space is open"
    return stay


def _close_a_room(session: Session, plan: stays.Plan, space: Space, room: Offer) -> None:
    """A day of maintenance, as the service for closures would have published it."""
    day = next_open_day(room, local_day(plan.now, room.zone) + timedelta(days=4), ("09:00", "17:00"))
    start, end = (_midnight(each, room) for each in (day, day + timedelta(days=1)))
    closure = Closure(
        space_id=space.id, kind="maintenance", starts_at=start, ends_at=end, unit_ids=list(room.unit_ids),
        reason="Peinture",
    )  # fmt: skip
    session.add(closure)
    session.flush()
    plan.block(room.unit_ids, start, end)
    session.add_all(
        Occupancy(unit_id=unit_id, period=Range(start, end), kind="maintenance", closure_id=closure.id)
        for unit_id in room.unit_ids
    )
    fact = SpaceClosed(
        space_id=str(space.uid), closure_id=str(closure.uid), kind="maintenance", start=instant(start),
        end=instant(end), unit_ids=[str(unit.uid) for unit in room.units.values()], displaced=[],
    )  # fmt: skip
    record(session, space, fact, at=plan.now)


def _midnight(day: date, offer: Offer) -> datetime:
    return clock_instants(datetime.combine(day, time.min), offer.zone)[0].astimezone(UTC)


def _insert(session: Session, all_stays: Sequence[Stay], people: People, *, now: datetime) -> None:
    purse = _Purse(people)
    bookings = [_booked(stay, purse, now=now) for stay in sorted(all_stays, key=lambda stay: stay.start)]
    columns = [_columns(row) for row, _ in bookings]
    ids = session.scalars(insert(Booking).returning(Booking.id, sort_by_parameter_order=True), columns).all()
    occupancies, dues, credits, facts = [], [], [], []
    for booking_id, (row, plan) in zip(ids, bookings, strict=True):
        period = Range(*rules.buffered(plan.offer.rules, row["starts_at"], row["ends_at"]))
        occupancies += [
            {"unit_id": unit_id, "period": period, "kind": "booking", "booking_id": booking_id}
            for unit_id in row["unit_ids"]
        ]
        if row["status"] != "completed":
            dues.append({"kind": "booking.next", "subject_id": booking_id, "at": due_at(row)})
        credits += [_drawn(row, drawn) for drawn in plan.drawn]
        facts += _facts(Made(booking_id, row, plan))
    for entity, rows in ((Occupancy, occupancies), (Due, dues), (CreditEntry, credits)):
        session.execute(insert(entity), rows)
    insert_events(session, facts, at=now)


def _booked(stay: Stay, purse: _Purse, *, now: datetime) -> tuple[dict[str, Any], Plan]:
    """The row of a stay, and the plan it would have been made from."""
    situation = purse.situation(stay)
    price = quote_price(stay.offer, start=stay.start, end=stay.end, audience=situation.audience)
    cover = cover_of(situation, price, start=stay.start, end=stay.end, sources=SOURCES)
    purse.spend(stay, credit_minutes(cover.parts))
    wish = Wish(resource_id=stay.offer.resource_uid, start=stay.start, end=stay.end, title=stay.title)
    plan = Plan(wish, stay.start, stay.end, (Line(situation, price),), price, cover.parts, cover.drawn)
    over = stay.end <= now
    made_at = min(stay.start, now) - CREATED_BEFORE
    row = {
        "uid": new_id(),
        "member_uid": stay.member.uid,
        "space_id": stay.offer.space_id,
        "resource_id": stay.offer.resource_id,
        "member_id": stay.member.id,
        "status": "completed" if over else plan.status,
        "starts_at": stay.start,
        "ends_at": stay.end,
        "unit_ids": list(stay.unit_ids),
        "title": stay.title,
        "currency": price.currency,
        "gross_cents": price.gross_cents,
        "net_cents": price.net_cents,
        "vat_cents": price.vat_cents,
        "vat_permille": price.rate_permille,
        "cover": cover.parts,
        "terms": plan.terms(),
        "created_at": made_at,
        "changed_at": stay.end if over else made_at,
        "revision": 0,
        "event_seq": 2 if over else 1,
    }
    return row, plan


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "member_uid"}


def _facts(made: Made) -> list[tuple[DomainEvent, Any, int]]:
    row, first = made.row, fact_of(made)
    if row["status"] != "completed":
        return [(first, row["uid"], 1)]
    then = replace(first, status="confirmed")  # what it was when it was made
    over = BookingCompleted(first.booking_id, first.space_id, first.member_id)
    return [(then, row["uid"], 1), (over, row["uid"], 2)]


def _drawn(row: dict[str, Any], drawn: Drawn) -> dict[str, Any]:
    return {
        **entry_of(drawn),
        "member_id": row["member_id"],
        "space_id": row["space_id"],
        "booking_uid": row["uid"],
        "at": row["created_at"],
    }


class _Purse:
    """What is left of everybody's plan credits while the bookings are made one after the other."""

    def __init__(self, people: People) -> None:
        self._plans = people.plans
        self._spent: dict[tuple[int, date, str], int] = {}

    def situation(self, stay: Stay) -> Situation:
        offer = stay.offer
        membership, included = self._plans.get((stay.member.id, offer.space_id), (None, {}))
        standing = Standing(in_network=stay.member.network_id == offer.network_id, is_member=membership is not None)
        return Situation(
            offer=offer,
            standing=standing,
            free_units=stay.unit_ids,
            cancellation=offer.cancellation,
            audience="members" if membership else "anyone",
            balances=tuple(self._balances(stay, membership, included)) if membership else (),
        )

    def _balances(self, stay: Stay, membership: Membership, included: dict[str, int]) -> list[Balance]:
        kind, day = stay.offer.kind, local_day(stay.start, stay.offer.zone)
        cycle = cycle_of(day, cycle="month", cycle_months=1, anchor="calendar", starts_on=membership.starts_on)
        spent = self._spent.get((stay.member.id, cycle.first, kind), 0)
        pools = pools_of(None, {kind: included.get(kind, 0)})
        entries = [(0, kind, -spent, 0)]
        return balances_of(pools, entries, membership_id=membership.id, cycle=cycle.first, last=cycle.last)

    def spend(self, stay: Stay, minutes: int) -> None:
        key = (stay.member.id, local_day(stay.start, stay.offer.zone).replace(day=1), stay.offer.kind)
        self._spent[key] = self._spent.get(key, 0) + minutes
