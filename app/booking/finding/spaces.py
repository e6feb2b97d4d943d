"""Spaces by place, country, network and name; what one offers and when it is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.finding.availability import find_network, within
from app.booking.finding.directory import Listing, listings
from app.booking.finding.places import Point, folded, metres
from app.booking.hours import Period
from app.errors import Invalid
from app.http.paging import Page
from app.network.models import Network

LONGEST_SPAN = timedelta(days=92)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSearch:
    """`q` is looked for in names and towns, whatever its accents; without a letter or digit it finds nothing.

    `network` is a public id or slug.
    """

    near: Point | None = None
    within_km: float | None = None
    country: str | None = None
    network: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class FoundSpace:
    listing: Listing
    network: Network
    distance_km: float | None

    @property
    def key(self) -> list[Any]:
        """Its place in the order, which is named: metres away, then name, then public id."""
        order = "name" if self.distance_km is None else "nearest"
        return [order, metres(self.distance_km), folded(self.listing.name)[:60], str(self.listing.uid)]


def find_spaces(session: Session, search: SpaceSearch, page: Page) -> list[FoundSpace]:
    """One more than a page of spaces, the nearest first, else by name. Raises NotFound for an unknown network."""
    if search.near is None and search.within_km is not None:
        raise Invalid.field("near", "is needed with within_km: write latitude,longitude")
    networks = {network.id: network for network in session.scalars(select(Network))}
    wanted = [listing for listing in listings(session) if _matches(listing, search)]
    if search.network is not None:
        network_id = find_network(session, search.network)
        wanted = [listing for listing in wanted if listing.network_id == network_id]
    found = [
        FoundSpace(listing, networks[listing.network_id], distance)
        for distance, listing in within(wanted, search.near, search.within_km)
    ]
    following = [space for space in found if page.after is None or space.key > page.after]
    return sorted(following, key=lambda space: space.key)[: page.limit + 1]


def _matches(listing: Listing, search: SpaceSearch) -> bool:
    if search.country is not None and listing.country != search.country:
        return False
    if search.q is None:
        return True
    text, words = folded(f"{listing.name} {listing.town}"), folded(search.q).split()
    return bool(words) and all(word in text for word in words)


def open_days(listing: Listing, *, first: date, last: date) -> list[tuple[date, list[Period]]]:
    """The opening periods of each local day from `first` to `last`, both included.

    Raises Invalid naming `to` when it is before `first` or more than 92 days after.
    """
    if not timedelta(0) <= last - first <= LONGEST_SPAN:
        raise Invalid.field("to", f"must be from the same day to {LONGEST_SPAN.days} days after `from`")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [(day, listing.hours.opening_of(day)) for day in days]
