"""The offers that the process remembers, shared between its threads.

One is right as long as its `space_revision` is the space's, because the database raises that number in the very
transaction that changes anything an offer is made of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.catalogue.loading import read_offers
from app.booking.catalogue.offers import Offer
from app.booking.models import Resource
from app.errors import NotFound
from app.network.models import Space

LARGEST_CACHE = 4096


class _Cache:
    """The offers used last, by public id."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._lock = Lock()
        self._offers: OrderedDict[UUID, Offer] = OrderedDict()

    def get(self, resource_uid: UUID) -> Offer | None:
        with self._lock:
            offer = self._offers.get(resource_uid)
            if offer is not None:
                self._offers.move_to_end(resource_uid)
            return offer

    def put(self, offer: Offer) -> None:
        with self._lock:
            self._offers[offer.resource_uid] = offer
            self._offers.move_to_end(offer.resource_uid)
            if len(self._offers) > self._largest:
                self._offers.popitem(last=False)

    def drop(self, resource_uid: UUID) -> None:
        with self._lock:
            self._offers.pop(resource_uid, None)


_cache = _Cache(LARGEST_CACHE)


def cached_offer(resource_uid: UUID) -> Offer | None:
    """What the process remembers of a resource. Right only if its `space_revision` is the space's of this moment."""
    return _cache.get(resource_uid)


def known_offer(session: Session, resource_uid: UUID) -> Offer:
    """The offer as it is remembered, right or not, or else loaded: for what never changes of it, such as its space.

    Raises NotFound for an unknown resource.
    """
    return _cache.get(resource_uid) or load_offer(session, resource_uid)


def remembered_offer(resource_uid: UUID, revision: int) -> Offer | None:
    """What the process remembers of a resource whose space the caller has just read to be at `revision`."""
    offer = _cache.get(resource_uid)
    return offer if offer is not None and offer.space_revision == revision else None


def refresh(session: Session, resource_uid: UUID, revision: int) -> Offer:
    """The offer of a resource whose space the caller has just read to be at `revision`: remembered, or loaded anew.

    Raises NotFound for an unknown or archived resource.
    """
    return remembered_offer(resource_uid, revision) or load_offer(session, resource_uid)


def offer_of(session: Session, resource_uid: UUID) -> Offer:
    """The offer of a resource, by one statement when it is remembered. Raises NotFound for unknown or archived."""
    revision = session.scalar(
        select(Space.revision).join(Resource, Resource.space_id == Space.id).where(Resource.uid == resource_uid)
    )
    if revision is None:
        raise NotFound()
    return refresh(session, resource_uid, revision)


def load_offer(session: Session, resource_uid: UUID) -> Offer:
    """Read an offer from the database. Raises NotFound for an unknown or archived resource."""
    resource_id = session.scalar(
        select(Resource.id).where(Resource.uid == resource_uid, Resource.archived_at.is_(None))
    )
    if resource_id is None:
        _cache.drop(resource_uid)
        raise NotFound()
    return load_offers(session, [resource_id])[resource_id]


def load_offers(session: Session, resource_ids: Iterable[int]) -> dict[int, Offer]:
    """Read the offers of many resources, archived ones too, and remember those that may be booked.

    What this transaction has changed is not remembered: it may yet be rolled back (see loading.RAISED_HERE).
    """
    offers = {}
    for offer, raised_here in read_offers(session, resource_ids):
        offers[offer.resource_id] = offer
        if not raised_here and not offer.archived:
            _cache.put(offer)
    return offers
