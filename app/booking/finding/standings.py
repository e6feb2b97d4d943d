"""Who the caller is at each space, for rules and prices, in two statements for the whole network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.access import access_hours
from app.booking.catalogue.offers import Offer
from app.booking.localtime import local_day
from app.booking.models import Booking
from app.booking.rules import Standing
from app.db import raw
from app.network.memberships.holding import largest_percent
from app.network.people import Person
from app.network.roles import FRONT_DESK

# Of the same memberships as app.booking.situation looks at for one booking: own or by a seat, running, not paused.
_COVERING = raw(
    """
    SELECT m.space_id, v.discounts, v.access
    FROM (SELECT o.id FROM membership o WHERE o.member_id = :member AND o.team_id IS NULL
          UNION ALL
          SELECT o.id FROM team_seat e JOIN membership o ON o.team_id = e.team_id JOIN space s ON s.id = o.space_id
          WHERE e.member_id = :member AND (CAST(:start AS timestamptz) AT TIME ZONE s.timezone)::date
              BETWEEN e.from_day AND coalesce(e.until_day, 'infinity')) AS mine
    JOIN membership m ON m.id = mine.id
    JOIN space s ON s.id = m.space_id
    CROSS JOIN LATERAL (SELECT (CAST(:start AS timestamptz) AT TIME ZONE s.timezone)::date AS day) AS local
    JOIN plan_version v ON v.id = coalesce((
        SELECT t.plan_version_id FROM membership_term t WHERE t.membership_id = m.id AND t.from_day <= local.day
        ORDER BY t.from_day DESC, t.id DESC LIMIT 1), m.plan_version_id)
    WHERE local.day BETWEEN m.starts_on AND coalesce(m.ends_on, 'infinity')
      AND NOT EXISTS (SELECT 1 FROM membership_pause z WHERE z.membership_id = m.id
                      AND local.day BETWEEN z.from_day AND coalesce(z.until_day, 'infinity'))
    """
)
NOT_COUNTED = ("cancelled", "refused")
STRANGER = Standing()
# Days to either side of a start within which its local day, week and month lie.
LONGEST_PERIOD = timedelta(days=33)


class _Held(NamedTuple):
    """What matters here of a membership: see PlanVersion."""

    discounts: list[dict[str, Any]]
    access: list[dict[str, Any]] | None


class Standings:
    """A person's standing for bookings of `[start, end)`. Without a person, that of a stranger."""

    def __init__(
        self, session: Session, person: Person | None, offers: Iterable[Offer], *, start: datetime, end: datetime
    ) -> None:
        self._person = person
        self._start, self._end = start, end
        self._memberships = _memberships(session, person, start) if person else {}
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

    def percent_off(self, offer: Offer) -> int:
        """What the person's plans that hold for the period take off the price of that resource."""
        held = self._memberships.get(offer.space_id, ())
        return largest_percent((each.discounts for each in held if self._holds(each, offer)), offer.kind)

    def audience(self, offer: Offer) -> str:
        """Whose price list holds."""
        return "members" if self.at(offer).is_member_for(self._start, self._end) else "anyone"

    def _holds(self, each: _Held, offer: Offer) -> bool:
        hours = access_hours(each.access, offer.zone)
        return hours is None or hours.is_open(self._start, self._end)

    def _in_space(self, person: Person, offer: Offer) -> Standing:
        hours = [access_hours(each.access, offer.zone) for each in self._memberships.get(offer.space_id, ())]
        return Standing(
            in_network=person.network_id == offer.network_id,
            is_member=bool(hours),
            access=() if None in hours else tuple(each for each in hours if each is not None),
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


def _memberships(session: Session, person: Person, start: datetime) -> dict[int, list[_Held]]:
    """The memberships that cover the person on the local day of `start`, by space."""
    held: dict[int, list[_Held]] = {}
    for row in session.execute(_COVERING, {"member": person.member_id, "start": start}):
        held.setdefault(row.space_id, []).append(_Held(row.discounts, row.access))
    return held


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
