"""A day of a space as the cells of a table: half-hours across, resources down, equal neighbours made one cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from app.booking.catalogue.offers import Offer
from app.booking.finding.timeline import Busy, OpenDay, ResourceLines, ShownBooking, Timeline

HALF_HOUR = timedelta(minutes=30)
FREE, SOME, OWN, TAKEN, CLOSED = "free", "some", "own", "taken", "closed"


@dataclass(frozen=True, slots=True)
class Cell:
    """`span` half-hours in one state. `free` counts a pool's free desks; `booking` is the visitor's own."""

    state: str
    start: datetime
    end: datetime
    span: int
    free: int
    booking: ShownBooking | None


@dataclass(frozen=True, slots=True)
class Row:
    offer: Offer
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """`hours` are the column heads: the local time and how many half-hours it spans."""

    hours: list[tuple[datetime, int]]
    rows: list[Row]


Slot = tuple[datetime, datetime]
State = tuple[str, int, ShownBooking | None]


def table_of(timeline: Timeline) -> Table | None:
    """The first day of `timeline` from its first opening to its last closing; None when it is closed all day."""
    day, zone = timeline.days[0], timeline.listing.hours.zone
    if not day.open:
        return None
    slots = list(_slots(day))
    hours = [(start, len(list(group))) for start, group in groupby(slots, key=lambda slot: _hour(slot[0], zone))]
    return Table(hours, [Row(lines.offer, _cells(lines, slots, day, zone)) for lines in timeline.resources])


def _slots(day: OpenDay) -> Iterator[Slot]:
    """Half-hours that pass, so that a day of 23 or 25 hours has as many as it has."""
    at, closes = day.open[0][0], day.open[-1][1]
    at -= timedelta(minutes=at.minute % 30, seconds=at.second)
    while at < closes:
        yield at, at + HALF_HOUR
        at += HALF_HOUR


def _hour(instant: datetime, zone: ZoneInfo) -> datetime:
    """The wall's hour; aware, so that the two hours of an autumn night stay two."""
    local = instant.astimezone(zone)
    return local.replace(minute=0, second=0, microsecond=0)


def _cells(lines: ResourceLines, slots: list[Slot], day: OpenDay, zone: ZoneInfo) -> list[Cell]:
    busy = [unit.busy for unit in lines.units if unit.busy]
    untouched = len(lines.units) - len(busy)
    states = [(slot, _state(lines.offer, busy, untouched, slot, day)) for slot in slots]
    cells = []
    for (name, free, booking), group in groupby(states, key=lambda pair: pair[1]):
        run = [slot for slot, _ in group]
        start, end = run[0][0].astimezone(zone), run[-1][1].astimezone(zone)
        cells.append(Cell(name, start, end, len(run), free, booking))
    return cells


def _state(offer: Offer, busy: list[list[Busy]], untouched: int, slot: Slot, day: OpenDay) -> State:
    """`busy` are the units with anything on them that day; `untouched` counts the others."""
    if not any(opens < slot[1] and slot[0] < closes for opens, closes in day.open):
        return CLOSED, 0, None
    taken = [here for unit in busy if (here := [one for one in unit if one.start < slot[1] and slot[0] < one.end])]
    free = untouched + len(busy) - len(taken)
    if offer.takes == "all":
        free = int(not taken)
    own = next((one.booking for here in taken for one in here if one.booking is not None and one.booking.own), None)
    if own is not None:
        return OWN, free, own
    if not free:
        return TAKEN, 0, None
    return SOME if taken and offer.takes == "any" else FREE, free, None
