"""What can be booked for a period, by kind, place and people: what the booking rules let through and is free.

One statement asks which units are taken; everything else is known from the directory. The statement names no unit or
space: over a period the index `ix_occupancy_period` alone answers it, in a few milliseconds however long the history,
where joining and filtering in the database costs several times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, or_, select
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Session

from app.booking import rules
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.pricing import quote_price
from app.booking.finding.directory import Listing, listing_of, listings
from app.booking.finding.places import Point, distance_km, folded, metres
from app.booking.finding.standings import Standings
from app.booking.localtime import ONE_DAY
from app.booking.prices import Price
from app.booking.rules import Standing
from app.db import raw
from app.errors import Invalid, NotFound, Refused
from app.network.models import Network
from app.network.people import Person
from app.vat.rates import VatUndecided

Period = tuple[datetime, datetime]
Taken = dict[Period, frozenset[int]]

ORDERS = ("nearest", "cheapest")
LARGEST_MASK = 30  # bits of an int4


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What somebody looks for. `space` and `network` are a public id or a slug; `kind` None is any kind."""

    start: datetime
    end: datetime
    kind: str | None = None
    people: int = 1
    space: str | None = None
    network: str | None = None
    near: Point | None = None
    within_km: float | None = None
    order: str | None = None
    limit: int = 100
    after: list[Any] | None = None  # a key of this search's order

    @property
    def sorting(self) -> str:
        """What comes first."""
        return self.order or ("name" if self.near is None else "nearest")


@dataclass(frozen=True, slots=True)
class Place:
    """A resource that is free. `free_units` counts its free units; distance is None where none was asked."""

    offer: Offer
    listing: Listing
    free_units: int
    price: Price
    distance_km: float | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    offer: Offer
    listing: Listing
    distance_km: float | None
    audience: str
    percent_off: int


def find_places(session: Session, search: Search, *, person: Person | None, now: datetime) -> list[Place]:
    """Free places that this person's booking would get by the rules, nearest or cheapest first, else by name.

    Raises NotFound for an unknown space or network, Invalid for contradictory wishes.
    """
    _check(search)
    candidates = _admitted(session, search, _around(session, search), person, now)
    around = _Buffered(search)
    core = search.start, search.end
    taken = taken_units(session, core, {around(candidate.offer) for candidate in candidates})
    found: Iterable[Place] = _free(candidates, search, taken, around)
    if search.sorting == "cheapest":
        found = sorted(found, key=lambda place: key_of(search, place))
    following = (place for place in found if search.after is None or key_of(search, place) > search.after)
    return list(islice(following, search.limit))


def key_of(search: Search, place: Place) -> list[Any]:
    """Its place in the order, which is named: cents or metres, the space's name, and what tells equals apart."""
    first = place.price.gross_cents if search.sorting == "cheapest" else metres(place.distance_km)
    return [search.sorting, first, *_by_name(place.listing), place.offer.resource_id]


def _check(search: Search) -> None:
    if search.end <= search.start:
        raise Invalid.field("end", "must be after start")
    if search.near is None and search.within_km is not None:
        raise Invalid.field("near", "is needed with within_km: write latitude,longitude")
    if search.near is None and search.order == "nearest":
        raise Invalid.field("near", "is needed for order=nearest: write latitude,longitude")


def _around(session: Session, search: Search) -> list[tuple[float | None, Listing]]:
    """The spaces to look at, the nearest first, or by name."""
    spaces = [listing_of(session, search.space)] if search.space else listings(session)
    if search.network is not None:
        network_id = find_network(session, search.network)
        spaces = [listing for listing in spaces if listing.network_id == network_id]
    found = within(spaces, search.near, search.within_km)
    return sorted(found, key=lambda each: [metres(each[0]), *_by_name(each[1])])


def within(
    spaces: Iterable[Listing], near: Point | None, within_km: float | None
) -> Iterator[tuple[float | None, Listing]]:
    """Each space with its distance from `near`, as far as `within_km`."""
    for listing in spaces:
        distance = distance_km(near, Point(listing.latitude, listing.longitude)) if near else None
        if distance is None or within_km is None or distance <= within_km:
            yield distance, listing


def _by_name(listing: Listing) -> list[Any]:
    return [folded(listing.name)[:60], listing.id]


def find_network(session: Session, key: str) -> int:
    """The internal id of the network with this public id or slug. Raises NotFound."""
    try:
        named = or_(Network.uid == UUID(key), Network.slug == key)
    except ValueError:
        named = Network.slug == key
    network_id = session.scalar(select(Network.id).where(named))
    if network_id is None:
        raise NotFound()
    return network_id


def _admitted(
    session: Session, search: Search, spaces: list[tuple[float | None, Listing]], person: Person | None, now: datetime
) -> list[_Candidate]:
    """Resources of the kind and size wanted whose rules let this person book."""
    wanted = [
        (offer, listing, distance)
        for distance, listing in spaces
        for offer in sorted(listing.offers, key=attrgetter("resource_id"))
        if search.kind in (None, offer.kind) and offer.capacity >= search.people and offer.unit_ids
    ]
    standings = Standings(session, person, (offer for offer, _, _ in wanted), start=search.start, end=search.end)
    lets = _Verdicts(search, now)
    return [
        _Candidate(offer, listing, distance, standings.audience(offer), standings.percent_off(offer))
        for offer, listing, distance in wanted
        if lets(offer, standings.at(offer))
    ]


class _Verdicts:
    """Whether the rules let somebody book. Offers share equal rules and hours, so that few cases are judged."""

    def __init__(self, search: Search, now: datetime) -> None:
        self._search, self._now = search, now
        self._known: dict[tuple[int, int, Standing], bool] = {}

    def __call__(self, offer: Offer, standing: Standing) -> bool:
        key = id(offer.rules), id(offer.hours), standing
        if key not in self._known:
            self._known[key] = self._judge(offer, standing)
        return self._known[key]

    def _judge(self, offer: Offer, standing: Standing) -> bool:
        start, end = self._search.start, self._search.end
        try:
            rules.check(offer.rules, offer.hours, standing, start=start, end=end, now=self._now)
        except Refused:
            return False
        return True


class _Prices:
    """The price of each offer for an audience; None where it is not to be had that day at any price."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._known: dict[tuple[Any, ...], Price | None] = {}

    def __call__(self, offer: Offer, whose: str, percent_off: int) -> Price | None:
        key = (
            id(offer.tariffs), id(offer.regimes), offer.premises, offer.country, offer.postcode, offer.zone.key, whose,
            percent_off,
        )  # fmt: skip
        if key not in self._known:
            self._known[key] = self._quote(offer, whose, percent_off)
        return self._known[key]

    def _quote(self, offer: Offer, whose: str, percent_off: int) -> Price | None:
        start, end = self._search.start, self._search.end
        try:
            return quote_price(offer, start=start, end=end, audience=whose, percent_off=percent_off)
        except (Refused, VatUndecided):
            return None


class _Buffered:
    """The period that a booking of each offer would occupy."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._known: dict[int, Period] = {}

    def __call__(self, offer: Offer) -> Period:
        key = id(offer.rules)
        if key not in self._known:
            self._known[key] = rules.buffered(offer.rules, self._search.start, self._search.end)
        return self._known[key]


def _free(candidates: list[_Candidate], search: Search, taken: Taken, around: _Buffered) -> Iterator[Place]:
    """Candidates with enough free units and a price, in their order."""
    price_of = _Prices(search)
    for candidate in candidates:
        offer = candidate.offer
        busy = taken[around(offer)].intersection(offer.unit_ids)
        free_units = len(offer.unit_ids) - len(busy)
        if not _enough(offer, free_units, search.people):
            continue
        price = price_of(offer, candidate.audience, candidate.percent_off)
        if price is not None:
            yield Place(offer, candidate.listing, free_units, price, candidate.distance_km)


def _enough(offer: Offer, free_units: int, people: int) -> bool:
    """In a pool everybody needs a desk of their own; a combination needs all its units; else one is enough."""
    if offer.takes == "all":
        return free_units == len(offer.unit_ids)
    return free_units >= (people if offer.kind == "desk_pool" else 1)


def taken_units(session: Session, core: Period, periods: Iterable[Period]) -> Taken:
    """The units with an occupancy in each of `periods`, all of which contain `core`.

    Buffers make the periods differ a little from resource to resource. One statement looks up the widest, and tells
    which of them each occupancy touches; what touches the core touches them all.
    """
    asked = sorted(set(periods))
    if not asked:
        return {}
    if len(asked) > LARGEST_MASK:
        return taken_units(session, core, asked[:LARGEST_MASK]) | taken_units(session, core, asked[LARGEST_MASK:])
    widest = min(start for start, _ in asked), max(end for _, end in asked)
    ranges = {"widest": Range(*widest)}
    if len(asked) > 1:
        ranges |= {"core": Range(*core)} | {f"asked_{number}": Range(*period) for number, period in enumerate(asked)}
    statement = _taken_in(len(asked), repeated=widest[1] - widest[0] > ONE_DAY)
    found = session.execute(statement, ranges).all()
    return {
        period: frozenset(unit_id for mask, units in found if mask >> number & 1 for unit_id in units)
        for number, period in enumerate(asked)
    }


@lru_cache(maxsize=2 * LARGEST_MASK)
def _taken_in(periods: int, *, repeated: bool) -> TextClause:
    """The statement for so many periods. Over more than a day a unit is likely to be `repeated`, and is told once.

    The ranges are parameters, not made of two instants: PostgreSQL would make them anew for every row.
    """
    bits = " + ".join(f"(period && :asked_{number})::int * {1 << number}" for number in range(periods))
    mask = f"CASE WHEN period && :core THEN {(1 << periods) - 1} ELSE {bits} END" if periods > 1 else "1"
    unit = "DISTINCT unit_id" if repeated else "unit_id"
    names = ["widest"] + (["core", *(f"asked_{number}" for number in range(periods))] if periods > 1 else [])
    sql = f"SELECT {mask} AS mask, array_agg({unit}) FROM occupancy WHERE period && :widest GROUP BY 1"
    return raw(sql).bindparams(*(bindparam(name, type_=TSTZRANGE) for name in names))
