"""Up to three bookings that would succeed at this instant, for somebody who was just refused.

First another resource of the same kind at the same time, then the nearest times on the same day, then the same time on
the days after. Candidates are sifted by the same rules and what is free, read in a handful of statements whatever their
number; the few that remain are put to `works`, which plans each as if it were booked, before they are offered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking import rules
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import load_offers, remembered_offer
from app.booking.localtime import day_bounds, local_day, to_instant
from app.booking.models import Resource
from app.booking.rules import Standing
from app.booking.situation import Situation
from app.db import raw
from app.errors import Invalid, Refused
from app.events.envelope import instant
from app.network.models import Space

MOST = 3
DAYS_AHEAD = 14
KEEP_PER_ORIGIN = 2  # so that the three are not all of one sort
TRIES_PER_ORIGIN = 6  # where something else than rules and room stands against them all, such as credits alone

_TAKEN = raw(
    """
    SELECT o.unit_id, lower(o.period) AS starts_at, upper(o.period) AS ends_at FROM occupancy o
    WHERE int8range(o.unit_id, o.unit_id, '[]') && int8range(:first_unit, :last_unit, '[]')
      AND o.unit_id = ANY(:units) AND o.period && tstzrange(:since, :until) AND o.booking_id IS DISTINCT FROM :but
    ORDER BY 1, 2
    """
)
_USED = raw(
    """
    SELECT resource_id, starts_at, extract(epoch FROM ends_at - starts_at)::bigint / 60 AS minutes FROM booking
    WHERE member_id = :member AND resource_id = ANY(:resources) AND id <> :but
      AND starts_at >= :since AND starts_at < :until AND status NOT IN ('cancelled', 'refused')
    """
)


@dataclass(frozen=True, slots=True)
class Candidate:
    offer: Offer
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Closing:
    """Units that are about to be closed for `[start, end)`."""

    unit_ids: frozenset[int]
    start: datetime
    end: datetime

    def bars(self, unit_id: int, wanted: tuple[datetime, datetime]) -> bool:
        return unit_id in self.unit_ids and wanted[0] < self.end and self.start < wanted[1]


class Calendar:
    """What is taken, and what the person has used, for some offers over some days."""

    def __init__(
        self,
        session: Session,
        offers: list[Offer],
        *,
        extras: Sequence[Offer],
        member_id: int,
        day: date,
        but: int,
        closing: Closing | None,
    ) -> None:
        self._closing, self._extras = closing, extras
        zone = offers[0].zone
        since, _ = day_bounds(day - timedelta(days=1), zone)
        _, until = day_bounds(day + timedelta(days=DAYS_AHEAD + 1), zone)
        units = sorted({unit_id for offer in (*offers, *extras) for unit_id in offer.unit_ids})
        self._taken: dict[int, list[tuple[datetime, datetime]]] = {}
        if units:
            window = {"units": units, "first_unit": units[0], "last_unit": units[-1]}
            window |= {"since": since, "until": until, "but": but}
            for row in session.execute(_TAKEN, window):
                self._taken.setdefault(row.unit_id, []).append((row.starts_at, row.ends_at))
        month = timedelta(days=31)
        used = {
            "member": member_id,
            "resources": [offer.resource_id for offer in offers],
            "but": but,
            "since": since - month,
            "until": until + month,
        }
        self._used = [
            (row.resource_id, local_day(row.starts_at, zone), int(row.minutes)) for row in session.execute(_USED, used)
        ]

    def has_room(self, offer: Offer, start: datetime, end: datetime) -> bool:
        """Whether the resource and all extras are free, with the buffers of the resource around."""
        wanted = rules.buffered(offer.rules, start, end)
        return all(self._is_offered(each, wanted) for each in (offer, *self._extras))

    def _is_offered(self, offer: Offer, wanted: tuple[datetime, datetime]) -> bool:
        enough = all if offer.takes == "all" else any
        return bool(offer.unit_ids) and enough(self._is_free(unit_id, wanted) for unit_id in offer.unit_ids)

    def _is_free(self, unit_id: int, wanted: tuple[datetime, datetime]) -> bool:
        if self._closing and self._closing.bars(unit_id, wanted):
            return False
        taken = self._taken.get(unit_id, [])
        # Periods of one unit never overlap, so only the last one that starts before our end can touch us.
        index = bisect_left(taken, wanted[1], key=lambda period: period[0])
        return index == 0 or taken[index - 1][1] <= wanted[0]

    def standing(self, offer: Offer, standing: Standing, day: date) -> Standing:
        """The person's standing if they booked on `day`: the same but for what they have used then."""
        mine = [(when, minutes) for resource_id, when, minutes in self._used if resource_id == offer.resource_id]
        return replace(
            standing,
            used_day_minutes=sum(minutes for when, minutes in mine if when == day),
            used_week_minutes=sum(m for when, m in mine if when.isocalendar()[:2] == day.isocalendar()[:2]),
            used_month_minutes=sum(m for when, m in mine if (when.year, when.month) == (day.year, day.month)),
        )


def alternatives(
    session: Session, situation: Situation, *, member_id: int, start: datetime, end: datetime, now: datetime,
    works: Callable[[Candidate], bool], people: int = 1, extras: Sequence[Offer] = (), but: int = -1,
    closing: Closing | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """`[{resource_id, start, end}]`, at most MOST, for `people` people and with the same extras.

    `works` says of a candidate whether booking it would succeed. `but` is a booking that does not count: the one being
    moved or displaced; `closing` is about to take units away.
    """
    offer = situation.offer
    offers = [offer, *_siblings(session, offer, people)]
    first = max(local_day(start, offer.zone), local_day(now, offer.zone))
    calendar = Calendar(session, offers, extras=extras, member_id=member_id, day=first, but=but, closing=closing)
    # Whom a closure displaces may find another unit of the very same pool.
    at_that_time = [Candidate(each, start, end) for each in (offers if closing else offers[1:])]
    origins = [iter(at_that_time)]
    if offer.capacity >= people:
        origins += [_other_times(offer, start, end, first), _other_days(offer, start, end, first)]
    good = [_good(origin, calendar, situation.standing, now, works) for origin in origins]
    found: list[Candidate] = []
    for most in (KEEP_PER_ORIGIN, MOST):
        for candidates in good:
            found += islice(candidates, min(most, MOST - len(found)))
    return [_shown(candidate) for candidate in found]


def _good(
    origin: Iterator[Candidate], calendar: Calendar, standing: Standing, now: datetime,
    works: Callable[[Candidate], bool],
) -> Iterator[Candidate]:  # fmt: skip
    likely = (each for each in origin if _seems_free(each, calendar, standing, now))
    return (each for each in islice(likely, TRIES_PER_ORIGIN) if works(each))


def _seems_free(candidate: Candidate, calendar: Calendar, standing: Standing, now: datetime) -> bool:
    offer = candidate.offer
    if not calendar.has_room(offer, candidate.start, candidate.end):
        return False
    then = calendar.standing(offer, standing, local_day(candidate.start, offer.zone))
    try:
        rules.check(offer.rules, offer.hours, then, start=candidate.start, end=candidate.end, now=now)
    except Refused:
        return False
    return True


def _siblings(session: Session, offer: Offer, people: int) -> list[Offer]:
    """Other resources of the same kind in the same space with room for as many people, the least large first."""
    query = (
        select(Resource.id, Resource.uid, Space.revision)
        .join(Space, Space.id == Resource.space_id)
        .where(
            Resource.space_id == offer.space_id,
            Resource.kind == offer.kind,
            Resource.id != offer.resource_id,
            Resource.capacity >= people,
            Resource.archived_at.is_(None),
        )
    )
    rows = session.execute(query).all()
    known = {id: other for id, uid, revision in rows if (other := remembered_offer(uid, revision))}
    unknown = [id for id, _, _ in rows if id not in known]
    others = known | (load_offers(session, unknown) if unknown else {})
    return sorted(others.values(), key=lambda other: (other.capacity, other.resource_id))


def _other_times(offer: Offer, start: datetime, end: datetime, day: date) -> Iterator[Candidate]:
    """The same length on the same local day, nearest first, starting on the steps of the resource."""
    step, length = timedelta(minutes=offer.rules.step_minutes), _allowed_length(offer, end - start)
    midnight, _ = day_bounds(day, offer.zone)
    starts = []
    for opens, closes in offer.hours.opening_of(day):
        at = midnight + -(-(opens - midnight) // step) * step
        while at + length <= closes:
            starts.append(at)
            at += step
    for at in sorted(starts, key=lambda at: (abs(at - start), at)):
        if (at, at + length) != (start, end):
            yield Candidate(offer, at, at + length)


def _other_days(offer: Offer, start: datetime, end: datetime, day: date) -> Iterator[Candidate]:
    """The same time by the clock on the wall on the days after."""
    local, length = start.astimezone(offer.zone), _allowed_length(offer, end - start)
    for ahead in range(1, DAYS_AHEAD + 1):
        wall = datetime.combine(day + timedelta(days=ahead), local.time().replace(tzinfo=None))
        try:
            at = to_instant(wall, offer.zone)
        except Invalid:
            continue  # a time that the clock jumps over
        yield Candidate(offer, at, at + length)


def _allowed_length(offer: Offer, length: timedelta) -> timedelta:
    """The wished length, brought within the resource's limits and onto its step."""
    own = offer.rules
    step = timedelta(minutes=own.step_minutes)
    bounded = min(max(length, timedelta(minutes=own.min_minutes)), timedelta(minutes=own.max_minutes))
    return max(bounded // step * step, step)


def _shown(candidate: Candidate) -> dict[str, Any]:
    return {
        "resource_id": str(candidate.offer.resource_uid),
        "start": instant(candidate.start),
        "end": instant(candidate.end),
    }
