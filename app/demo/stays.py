"""Who sits where in the two weeks before and the ten days after the loading: drawn by lot, the same every time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from app.booking import rules
from app.booking.catalogue.offers import Offer
from app.booking.localtime import clock_instants, local_day
from app.demo.people import People
from app.network.models import Member

DAYS_BACK, DAYS_AHEAD = 14, 10
# Days further back are emptier: what is over interests fewer people, and every stay is an event to deliver.
SHARE_PAST, SHARE_AHEAD = 0.015, 0.06
ROOM_PAST, ROOM_AHEAD = 0.15, 0.5  # stays in a room and day
LARGEST_SHARE = 3  # at most one desk in three is taken: there is room to try things out

DESK_TIMES = (("09:00", "17:00"), ("09:00", "12:30"), ("13:30", "17:00"), ("10:00", "16:00"), ("08:30", "12:00"))
ROOM_TIMES = (("09:00", "10:30"), ("10:00", "12:00"), ("11:00", "12:00"), ("14:00", "16:00"), ("15:00", "17:00"))
TITLES = ("", "Réunion d'équipe", "Entretien", "Formation", "Atelier", "Point hebdomadaire")


@dataclass(frozen=True, slots=True)
class Stay:
    """One booking to be: `[start, end)` in UTC on some units."""

    offer: Offer
    unit_ids: tuple[int, ...]
    member: Member
    start: datetime
    end: datetime
    title: str = ""


class Plan:
    """Stays that fit: no unit twice at once, nothing outside the opening hours."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.stays: list[Stay] = []
        self._taken: dict[int, list[tuple[datetime, datetime]]] = {}

    def block(self, unit_ids: tuple[int, ...], start: datetime, end: datetime) -> None:
        for unit_id in unit_ids:
            self._taken.setdefault(unit_id, []).append((start, end))

    def add(self, offer: Offer, member: Member, day: date, times: tuple[str, str], title: str = "") -> Stay | None:
        """A stay of `member` at these local times, or None when closed or full."""
        start, end = (_instant(day, at, offer) for at in times)
        units = self._free(offer, *rules.buffered(offer.rules, start, end))
        if not units or not offer.hours.is_open(start, end):
            return None
        stay = Stay(offer, units, member, start, end, title)
        self.block(units, *rules.buffered(offer.rules, start, end))
        self.stays.append(stay)
        return stay

    def _free(self, offer: Offer, start: datetime, end: datetime) -> tuple[int, ...]:
        free = [unit_id for unit_id in offer.unit_ids if not self._is_taken(unit_id, start, end)]
        if offer.takes == "all":
            return offer.unit_ids if len(free) == len(offer.unit_ids) else ()
        return tuple(free[:1])

    def _is_taken(self, unit_id: int, start: datetime, end: datetime) -> bool:
        return any(since < end and start < until for since, until in self._taken.get(unit_id, ()))


def fill(plan: Plan, offers: dict[str, list[Offer]], people: People) -> None:
    """Let the regulars of every space come and go."""
    for slug, of_space in offers.items():
        chance = Random(slug)
        regulars = itertools.cycle(people.regulars[slug])
        today = local_day(plan.now, of_space[0].zone)
        for ahead in range(-DAYS_BACK, DAYS_AHEAD + 1):
            day = today + timedelta(days=ahead)
            for offer, times, title in _wished(of_space, chance, past=ahead < 0):
                plan.add(offer, next(regulars), day, times, title)


def _wished(offers: list[Offer], chance: Random, *, past: bool) -> Iterator[tuple[Offer, tuple[str, str], str]]:
    for offer in offers:
        if offer.kind == "desk_pool":
            mean = 0.6 + len(offer.unit_ids) * (SHARE_PAST if past else SHARE_AHEAD)
            count = min(len(offer.unit_ids) // LARGEST_SHARE, round(mean * chance.uniform(0.5, 1.5)))
            for _ in range(count):
                yield offer, chance.choice(DESK_TIMES), ""
        elif _is_single_room(offer) and chance.random() < (ROOM_PAST if past else ROOM_AHEAD):
            yield offer, chance.choice(ROOM_TIMES), chance.choice(TITLES)


def _is_single_room(offer: Offer) -> bool:
    return offer.kind == "room" and offer.takes == "any"


def next_open_day(offer: Offer, day: date, times: tuple[str, str]) -> date:
    """The first day from `day` on when the space is open at these local times."""
    for ahead in range(60):
        candidate = day + timedelta(days=ahead)
        if offer.hours.is_open(*(_instant(candidate, at, offer) for at in times)):
            return candidate
    raise ValueError(f"{offer.space_slug} does not open at {times} in the sixty days from {day}")


def _instant(day: date, at: str, offer: Offer) -> datetime:
    return clock_instants(datetime.combine(day, time.fromisoformat(at)), offer.zone)[0].astimezone(UTC)
