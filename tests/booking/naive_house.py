"""The naive model of a house: lists of (unit, start, end) and loops, nothing of the product; plainly right."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

CHECK_IN_FROM = timedelta(minutes=30)


@dataclass(frozen=True)
class Place:
    """What can be booked: one of its units or all; minutes of airing, of grace; hours before the start it gets late."""

    name: str
    kind: str
    units: tuple[int, ...]
    takes: str = "any"
    airing: int = 0
    grace: int | None = None
    late_hours: int | None = None


@dataclass
class Stay:
    unit: int
    start: datetime
    end: datetime
    of: object


@dataclass
class Booked:
    """`drawn` minutes of credit pay for it; `taken` are those by kind, with what was given up late and is not back."""

    owner: int
    place: Place
    start: datetime
    end: datetime
    with_extra: bool
    units: list[int]
    drawn: int
    price: int
    status: str = "confirmed"
    moved_late: bool = False
    taken: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.taken = self.taken or {self.place.kind: self.drawn}

    def is_late(self, now: datetime) -> bool:
        hours = self.place.late_hours
        return self.moved_late or (hours is not None and self.start - now < timedelta(hours=hours))


@dataclass
class NaiveHouse:
    extra: int
    credit: dict[tuple[int, str], int]
    now: datetime
    stays: list[Stay] = field(default_factory=list)
    bookings: dict[object, Booked] = field(default_factory=dict)
    closures: dict[object, bool] = field(default_factory=dict)

    def is_free(self, unit: int, start: datetime, end: datetime, *, but: object = None) -> bool:
        return not any(
            stay.unit == unit and stay.start < end and start < stay.end and stay.of != but for stay in self.stays
        )

    def free_choices(
        self, place: Place, start: datetime, end: datetime, with_extra: bool, *, but: object = None
    ) -> list[list[int]]:
        """Every set of units that a booking could get."""
        until = end + timedelta(minutes=place.airing)
        extras = [self.extra] if with_extra else []
        choices = [list(place.units)] if place.takes == "all" else [[unit] for unit in place.units]
        return [
            choice + extras
            for choice in choices
            if all(self.is_free(unit, start, until, but=but) for unit in choice + extras)
        ]

    def take(self, key: object, booked: Booked) -> None:
        self.bookings[key] = booked
        until = booked.end + timedelta(minutes=booked.place.airing)
        self.stays += [Stay(unit, booked.start, until, key) for unit in booked.units]

    def draw(self, owner: int, place: Place, start: datetime, end: datetime) -> int:
        key, minutes = (owner, place.kind), int((end - start).total_seconds() // 60)
        drawn = min(self.credit.get(key, 0), minutes)
        self.credit[key] = self.credit.get(key, 0) - drawn
        return drawn

    def give_back(self, booked: Booked) -> dict[str, int]:
        """All that it took, which is told."""
        back, booked.taken = booked.taken, {}
        for kind, minutes in back.items():
            self.credit[booked.owner, kind] = self.credit.get((booked.owner, kind), 0) + minutes
        return back

    def keep(self, booked: Booked, was: Booked, back: dict[str, int], *, late: bool) -> None:
        """Of what a booking took before it was changed, what was given up late stays taken until it grows again."""
        grown, fallen = booked.drawn - was.drawn, was.price - booked.price
        kept = max(0, sum(back.values()) - was.drawn - max(0, grown))
        if late and fallen > 0 and grown < 0:
            kept += min(-grown, (2 * was.drawn * fallen + was.price) // (2 * was.price))
        for kind, minutes in back.items():
            more = max(0, min(kept, minutes - booked.taken.get(kind, 0)))
            booked.taken[kind] = booked.taken.get(kind, 0) + more
            self.credit[booked.owner, kind] -= more
            kept -= more

    def release(self, key: object) -> None:
        self.stays = [stay for stay in self.stays if stay.of != key]

    def cancel(self, key: object, *, keep_credit: bool) -> None:
        self.bookings[key].status = "cancelled"
        self.release(key)
        if not keep_credit:
            self.give_back(self.bookings[key])

    def displaced_by(self, units: list[int], start: datetime, end: datetime) -> set[object]:
        return {
            stay.of
            for stay in self.stays
            if stay.unit in units and stay.start < end and start < stay.end and (booked := self.bookings.get(stay.of))
            if booked.status in ("confirmed", "checked_in") and booked.start < end and start < booked.end
        }

    def is_closed(self, units: list[int], start: datetime, end: datetime) -> bool:
        return any(
            stay.of in self.closures and stay.unit in units and stay.start < end and start < stay.end
            for stay in self.stays
        )

    def close(self, key: object, units: list[int], start: datetime, end: datetime) -> None:
        for displaced in self.displaced_by(units, start, end):
            self.cancel(displaced, keep_credit=False)
        for stay in self.stays:
            if stay.unit in units and stay.start < end and start < stay.end:  # only airing is left there
                if self.bookings[stay.of].end <= start:
                    stay.end = start
                else:
                    stay.start = end
        self.closures[key] = True
        self.stays += [Stay(unit, start, end, key) for unit in units]

    def time_passes(self, now: datetime) -> None:
        self.now = now
        for key, booked in self.bookings.items():
            grace = booked.place.grace
            if booked.status == "confirmed" and grace is not None and now >= min(
                booked.start + timedelta(minutes=grace), booked.end
            ):  # fmt: skip
                booked.status = "no_show"
                if now < booked.end:
                    for stay in self.stays:
                        stay.end = min(stay.end, now) if stay.of == key else stay.end
            elif booked.status in ("confirmed", "checked_in") and now >= booked.end:
                booked.status = "completed"

    def may_check_in(self, booked: Booked) -> bool:
        return booked.status == "confirmed" and booked.start - CHECK_IN_FROM <= self.now < booked.end
