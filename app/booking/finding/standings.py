"""Who the caller is at each space, for rules and prices, in two statements for the whole network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.catalogue.offers import Offer
from app.booking.localtime import local_day
from app.booking.models import Booking
from app.booking.rules import Standing
from app.network.memberships.models import Membership
from app.network.people import Person
from app.network.roles import FRONT_DESK

NOT_COUNTED = ("cancelled", "refused")
STRANGER = Standing()
# Days to either side of a start within which its local day, week and month lie.
LONGEST_PERIOD = timedelta(days=33)


class Standings:
    """A person's standing for bookings that start at `start`. Without a person, that of a stranger."""

    def __init__(self, session: Session, person: Person | None, offers: Iterable[Offer], *, start: datetime) -> None:
        self._person = person
        self._start = start
        self._memberships = _memberships(session, person) if person else {}
        self._used = _used(session, person, offers, start) if person else {}
        self._known: dict[int, Standing] = {}

    def at(self, offer: Offer) -> Standing:
        """Equal standings of one space are one object, unless what was booked before tells them apart."""
        if self._person is None:
            return STRANGER
        standing = self._known.get(offer.space_id)
        if standing is None:
            standing = self._known[offer.space_id] = self._in_space(self._person, offer)
        bookings = self._used.get(offer.resource_id)
        return self._with_use(standing, bookings, offer) if bookings else standing

    def _in_space(self, person: Person, offer: Offer) -> Standing:
        day = local_day(self._start, offer.zone)
        terms = self._memberships.get(offer.space_id, ())
        return Standing(
            in_network=person.network_id == offer.network_id,
            is_member=any(first <= day and (last is None or last >= day) for first, last in terms),
            is_staff=person.may(FRONT_DESK, offer.space_id),
        )

    def _with_use(self, standing: Standing, bookings: list[tuple[datetime, int]], offer: Offer) -> Standing:
        day = local_day(self._start, offer.zone)
        used = [(local_day(start, offer.zone), minutes) for start, minutes in bookings]
        return replace(
            standing,
            used_day_minutes=sum(minutes for when, minutes in used if when == day),
            used_week_minutes=sum(minutes for when, minutes in used if when.isocalendar()[:2] == day.isocalendar()[:2]),
            used_month_minutes=sum(minutes for when, minutes in used if when.replace(day=1) == day.replace(day=1)),
        )


def audience(standing: Standing) -> str:
    """Whose price list holds."""
    return "members" if standing.is_member else "anyone"


def _memberships(session: Session, person: Person) -> dict[int, list[tuple[date, date | None]]]:
    terms: dict[int, list[tuple[date, date | None]]] = {}
    own = select(Membership.space_id, Membership.starts_on, Membership.ends_on)
    for space_id, first, last in session.execute(own.where(Membership.member_id == person.member_id)):
        terms.setdefault(space_id, []).append((first, last))
    return terms


def _used(
    session: Session, person: Person, offers: Iterable[Offer], start: datetime
) -> dict[int, list[tuple[datetime, int]]]:
    """The person's bookings around `start` of resources that have a quota: when, and how many minutes."""
    limited = [offer.resource_id for offer in offers if _has_quota(offer)]
    used: dict[int, list[tuple[datetime, int]]] = {}
    if not limited:
        return used
    own = select(Booking.resource_id, Booking.starts_at, Booking.ends_at).where(
        Booking.member_id == person.member_id,
        Booking.resource_id.in_(limited),
        Booking.starts_at.between(start - LONGEST_PERIOD, start + LONGEST_PERIOD),
        Booking.status.not_in(NOT_COUNTED),
    )
    for resource_id, starts_at, ends_at in session.execute(own):
        used.setdefault(resource_id, []).append((starts_at, int((ends_at - starts_at).total_seconds()) // 60))
    return used


def _has_quota(offer: Offer) -> bool:
    quotas = (offer.rules.quota_day_minutes, offer.rules.quota_week_minutes, offer.rules.quota_month_minutes)
    return any(quota is not None for quota in quotas)
