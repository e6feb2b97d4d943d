"""Finding over HTTP, all of it public; who signs in gets their own prices, and what the rules let them book."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint

from app.booking.catalogue.offers import Offer
from app.booking.catalogue.schemas import ResourceShape, describe_resource
from app.booking.finding import schemas
from app.booking.finding.availability import Search, find_places, key_of
from app.booking.finding.directory import listing_of
from app.booking.finding.places import Point, parse_point
from app.booking.finding.spaces import SpaceSearch, find_spaces, open_days
from app.booking.finding.timeline import occupancy, parse_day, parse_week
from app.booking.localtime import parse_instant
from app.errors import Invalid
from app.http.operation import Call, Reply, operation
from app.http.paging import LARGEST, Paged, cut, page_of
from app.http.preconditions import etag
from app.http.schemas import PageQuery
from app.network.roles import SEE_BOOKINGS

blueprint = Blueprint("finding", __name__)


@operation(
    blueprint, "GET", "/spaces", query=schemas.SpaceQuery, returns=schemas.FoundSpaceShape, many=True, paged=True,
    signed_in=False, problems=(404,),
)  # fmt: skip
def list_spaces(call: Call, query: dict[str, Any]) -> Paged:
    """The spaces of the networks, nearest first with `near`, else by name."""
    order = "name" if query["near"] is None else "nearest"
    page = page_of(query.pop("limit"), query.pop("cursor"), key=(str, int, str, str), order=order)
    found = find_spaces(call.session, SpaceSearch(**{**query, "near": _point(query["near"])}), page)
    shown, last = cut(found, page, lambda space: space.key)
    return Paged([schemas.describe_found(space) for space in shown], last)


@operation(blueprint, "GET", "/spaces/<space>", returns=schemas.SpaceShape, signed_in=False, problems=(404,), etag=True)
def show_space(call: Call, space: str) -> Reply:
    """One space, by id or slug. Its ETag covers everything it offers."""
    listing = listing_of(call.session, space)
    return Reply(schemas.describe_space(listing), etag=etag(listing.uid, listing.revision))


@operation(
    blueprint, "GET", "/spaces/<space>/resources", query=PageQuery, returns=ResourceShape, many=True, paged=True,
    signed_in=False, problems=(404,),
)  # fmt: skip
def list_resources(call: Call, space: str, query: dict[str, Any]) -> Paged:
    """What a space offers, with its rules, units and prices, in the order of its plan."""
    page = page_of(query["limit"], query["cursor"], key=(str, int), order="plan", default=LARGEST)
    offers = listing_of(call.session, space).offers
    if page.after is not None:
        offers = _after(offers, page.after[1])
    shown, last = cut(offers, page, lambda offer: ["plan", offer.resource_id])
    return Paged([describe_resource(offer) for offer in shown], last)


def _after(offers: tuple[Offer, ...], resource_id: int) -> tuple[Offer, ...]:
    """Those that follow a resource in the plan. Once it is archived nobody knows where it stood: the cursor is over."""
    ids = [offer.resource_id for offer in offers]
    if resource_id not in ids:
        raise Invalid.field("cursor", "the list has changed: begin again without cursor")
    return offers[ids.index(resource_id) + 1 :]


@operation(
    blueprint, "GET", "/spaces/<space>/hours", query=schemas.DaysQuery, returns=schemas.OpenDayShape, many=True,
    signed_in=False, problems=(404,),
)  # fmt: skip
def show_hours(call: Call, space: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """When a space is open, day by day, exceptions and public holidays included. At most 92 days."""
    first, last = parse_day(query["from_"], field="from"), parse_day(query["to"], field="to")
    listing = listing_of(call.session, space)
    return [schemas.describe_open_day(*day) for day in open_days(listing, first=first, last=last)]


@operation(
    blueprint, "GET", "/availability", query=schemas.AvailabilityQuery, returns=schemas.PlaceShape, many=True,
    paged=True, signed_in=False, problems=(404,),
)  # fmt: skip
def list_availability(call: Call, query: dict[str, Any]) -> Paged:
    """What is free for the whole of a period: open, let through by the booking rules, with enough units.

    In a pool everybody needs a desk: `people` of them must be free. Elsewhere `people` must fit in.
    """
    instants = {name: parse_instant(query[name], field=name) for name in ("start", "end")}
    cursor = query.pop("cursor")
    search = Search(**{**query, **instants, "near": _point(query["near"])})
    page = page_of(search.limit, cursor, key=(str, int, str, int, int), order=search.sorting)
    search = replace(search, limit=page.limit + 1, after=page.after)
    places = find_places(call.session, search, person=call.caller, now=call.now)
    shown, last = cut(places, page, lambda place: key_of(search, place))
    return Paged([schemas.describe_place(place) for place in shown], last)


@operation(
    blueprint, "GET", "/spaces/<space>/occupancy", query=schemas.OccupancyQuery, returns=schemas.OccupancyShape,
    signed_in=False, problems=(404,),
)  # fmt: skip
def show_occupancy(call: Call, space: str, query: dict[str, Any]) -> dict[str, Any]:
    """When each unit is taken on a local day or in a week. Staff of the space also see by whom, and leave a trace."""
    if (query["day"] is None) == (query["week"] is None):
        raise Invalid.field("day", "give either day or week")
    first = parse_day(query["day"]) if query["day"] is not None else parse_week(query["week"])
    listing = listing_of(call.session, space)
    days = 1 if query["week"] is None else 7
    timeline = occupancy(call.session, listing, first=first, days=days, person=call.caller, now=call.now)
    for_staff = call.caller is not None and call.caller.may(SEE_BOOKINGS, listing.id)
    return schemas.describe_timeline(timeline, for_staff=for_staff)


def _point(text: str | None) -> Point | None:
    return None if text is None else parse_point(text, field="near")
