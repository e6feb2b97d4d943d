"""The spaces and what they offer, remembered by the process: one small statement tells which of it is still right.

As with offers, a space's revision is the proof: the database raises it with every change of the space's catalogue.
Listings are kept by public id, and there are never more of them than spaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.booking.catalogue.loading import RAISED_HERE, load_hours
from app.booking.catalogue.offers import Offer
from app.booking.catalogue.remembering import load_offers
from app.booking.hours import WeeklyHours
from app.booking.models import Resource
from app.db import raw
from app.errors import NotFound
from app.network.models import Space

# Raw because every search begins with it; the catalogue is public.
_REVISIONS = raw("SELECT id, uid, revision FROM space ORDER BY id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A space as people find it, and what it offers, in the order of its plan."""

    id: int
    uid: UUID
    slug: str
    name: str
    street: str
    postcode: str
    town: str
    country: str
    timezone: str
    latitude: float
    longitude: float
    network_id: int
    revision: int
    hours: WeeklyHours
    offers: tuple[Offer, ...]


_listings: dict[UUID, Listing] = {}


def listings(session: Session) -> list[Listing]:
    """Every space, as it is now."""
    rows = session.execute(_REVISIONS).all()
    known = {row.id: _remembered(row.uid, row.revision) for row in rows}
    missing = [space_id for space_id, listing in known.items() if listing is None]
    found = {**known, **(_load(session, missing) if missing else {})}
    return [listing for listing in found.values() if listing is not None]


def _remembered(space_uid: UUID, revision: int) -> Listing | None:
    listing = _listings.get(space_uid)
    return listing if listing is not None and listing.revision == revision else None


def listing_of(session: Session, key: str) -> Listing:
    """The space with this public id or slug. Raises NotFound."""
    space = session.execute(select(Space.id, Space.uid, Space.revision).where(_named(key))).one_or_none()
    if space is None:
        raise NotFound()
    return _remembered(space.uid, space.revision) or _load(session, [space.id])[space.id]


def _named(key: str) -> ColumnElement[bool]:
    try:
        return Space.uid == UUID(key)
    except ValueError:
        return Space.slug == key


def _load(session: Session, space_ids: list[int]) -> dict[int, Listing]:
    rows = session.execute(
        select(Space, RAISED_HERE).where(Space.id.in_(space_ids)).execution_options(populate_existing=True)
    ).all()
    offered = select(Resource.id, Resource.space_id).where(
        Resource.space_id.in_(space_ids), Resource.archived_at.is_(None)
    )
    resources = session.execute(offered.order_by(Resource.position, Resource.name, Resource.id)).all()
    hours = load_hours(session, [space for space, _ in rows])
    offers = load_offers(session, [row.id for row in resources])
    own: dict[int, list[Offer]] = {}
    for row in resources:
        own.setdefault(row.space_id, []).append(offers[row.id])
    loaded = {}
    for space, raised_here in rows:
        loaded[space.id] = listing = _listing(space, hours[space.id], own.get(space.id, []))
        if not raised_here:
            _listings[space.uid] = listing
    return loaded


def _listing(space: Space, hours: WeeklyHours, offers: list[Offer]) -> Listing:
    return Listing(
        id=space.id,
        uid=space.uid,
        slug=space.slug,
        name=space.name,
        street=space.street,
        postcode=space.postcode,
        town=space.town,
        country=space.country,
        timezone=space.timezone,
        latitude=space.latitude,
        longitude=space.longitude,
        network_id=space.network_id,
        revision=space.revision,
        hours=hours,
        offers=tuple(offers),
    )
