"""The shapes of spaces, what is free in them and their days."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marshmallow import fields, validate

from app.booking.catalogue.offers import Offer
from app.booking.describing import price_shape
from app.booking.finding.availability import ORDERS, Place
from app.booking.finding.directory import Listing
from app.booking.finding.spaces import FoundSpace
from app.booking.finding.timeline import Busy, Timeline
from app.booking.hours import Period
from app.booking.models import KINDS
from app.events.envelope import instant
from app.http.paging import LARGEST
from app.http.schemas import PageQuery, PriceShape, Strict

LONGEST_KEY = 100
NEAR = {"description": "Latitude,longitude in degrees.", "example": "50.63,3.78"}


def near(**kwargs: Any) -> fields.String:
    return fields.String(load_default=None, validate=validate.Length(1, 60), metadata=NEAR, **kwargs)


def within_km() -> fields.Float:
    return fields.Float(load_default=None, validate=validate.Range(0, 20_040), metadata={"example": 25})


def key(description: str) -> fields.String:
    doc = {"description": f"{description}: its id or its slug."}
    return fields.String(load_default=None, validate=validate.Length(1, LONGEST_KEY), metadata=doc)


class SpaceQuery(PageQuery):
    near = near()
    within_km = within_km()
    country = fields.String(
        load_default=None, validate=validate.Regexp("[A-Z]{2}$", error="Write two capital letters, such as BE.")
    )
    network = key("A network")
    q = fields.String(
        load_default=None,
        validate=validate.Length(1, 100),
        metadata={"description": "Words of the name or the town, whatever their accents and case."},
    )


class AvailabilityQuery(PageQuery):
    start = fields.String(required=True, metadata={"format": "date-time", "example": "2026-06-17T09:00:00+02:00"})
    end = fields.String(required=True, metadata={"format": "date-time", "example": "2026-06-17T12:00:00+02:00"})
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))
    people = fields.Integer(load_default=1, validate=validate.Range(1, 10_000))
    space = key("A space")
    network = key("A network")
    near = near()
    within_km = within_km()
    order = fields.String(
        load_default=None,
        validate=validate.OneOf(ORDERS),
        metadata={"description": "Without: nearest with `near`, else by the name of the space."},
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LARGEST))


class DaysQuery(Strict):
    from_ = fields.String(required=True, data_key="from", metadata={"format": "date", "example": "2026-06-15"})
    to = fields.String(required=True, metadata={"format": "date", "example": "2026-06-21", "description": "Included."})


class OccupancyQuery(Strict):
    day = fields.String(load_default=None, metadata={"format": "date", "example": "2026-06-17"})
    week = fields.String(load_default=None, metadata={"description": "An ISO 8601 week.", "example": "2026-W25"})


class PeriodShape(Strict):
    start = fields.AwareDateTime(required=True)
    end = fields.AwareDateTime(required=True)


class NetworkName(Strict):
    id = fields.UUID(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)


class SpaceBrief(Strict):
    id = fields.UUID(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    town = fields.String(required=True)
    country = fields.String(required=True)
    timezone = fields.String(required=True)


class SpaceShape(SpaceBrief):
    street = fields.String(required=True)
    postcode = fields.String(required=True)
    latitude = fields.Float(required=True)
    longitude = fields.Float(required=True)


class FoundSpaceShape(SpaceShape):
    network = fields.Nested(NetworkName, required=True)
    distance_km = fields.Float(allow_none=True, required=True)


class ResourceBrief(Strict):
    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    name = fields.String(required=True)
    capacity = fields.Integer(required=True, metadata={"description": "People who fit; in a pool, its desks."})
    takes = fields.String(required=True, validate=validate.OneOf(("any", "all")))
    amenities = fields.List(fields.String(), required=True)


class PlaceShape(Strict):
    """A resource that is free, with its price for the caller."""

    resource = fields.Nested(ResourceBrief, required=True)
    space = fields.Nested(SpaceBrief, required=True)
    free_units = fields.Integer(required=True)
    price = fields.Nested(PriceShape, required=True)
    distance_km = fields.Float(required=True, allow_none=True)


class OpenDayShape(Strict):
    day = fields.Date(required=True)
    open = fields.List(fields.Nested(PeriodShape), required=True)


class MemberBrief(Strict):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class BookingBrief(PeriodShape):
    id = fields.UUID(required=True)
    status = fields.String(required=True)
    title = fields.String(required=True)
    member = fields.Nested(MemberBrief, required=True)


class BusyShape(PeriodShape):
    booking = fields.Nested(
        BookingBrief, metadata={"description": "For the space's staff, and for the member whose booking it is."}
    )
    kind = fields.String(metadata={"description": "For the space's staff."})


class UnitLineShape(Strict):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    busy = fields.List(fields.Nested(BusyShape), required=True)


class ResourceLinesShape(Strict):
    resource = fields.Nested(ResourceBrief, required=True)
    units = fields.List(fields.Nested(UnitLineShape), required=True)


class OccupancyShape(Strict):
    """When each unit of a space is taken on one day, or on the seven of a week."""

    space = fields.Nested(SpaceBrief, required=True)
    days = fields.List(fields.Nested(OpenDayShape), required=True)
    resources = fields.List(fields.Nested(ResourceLinesShape), required=True)


def describe_space_brief(listing: Listing) -> dict[str, Any]:
    return {
        "id": str(listing.uid),
        "slug": listing.slug,
        "name": listing.name,
        "town": listing.town,
        "country": listing.country,
        "timezone": listing.timezone,
    }


def describe_space(listing: Listing) -> dict[str, Any]:
    return {
        **describe_space_brief(listing),
        "street": listing.street,
        "postcode": listing.postcode,
        "latitude": listing.latitude,
        "longitude": listing.longitude,
    }


def describe_found(found: FoundSpace) -> dict[str, Any]:
    network = found.network
    return {
        **describe_space(found.listing),
        "network": {"id": str(network.uid), "slug": network.slug, "name": network.name},
        "distance_km": _kilometres(found.distance_km),
    }


def describe_resource_brief(offer: Offer) -> dict[str, Any]:
    return {
        "id": str(offer.resource_uid),
        "kind": offer.kind,
        "name": offer.name,
        "capacity": offer.capacity,
        "takes": offer.takes,
        "amenities": list(offer.amenities),
    }


def describe_place(place: Place) -> dict[str, Any]:
    return {
        "resource": describe_resource_brief(place.offer),
        "space": describe_space_brief(place.listing),
        "free_units": place.free_units,
        "price": price_shape(place.price),
        "distance_km": _kilometres(place.distance_km),
    }


def _kilometres(distance: float | None) -> float | None:
    return None if distance is None else round(distance, 3)


def describe_period(start: datetime, end: datetime) -> dict[str, str]:
    return {"start": instant(start), "end": instant(end)}


def describe_open_day(day: Any, periods: list[Period]) -> dict[str, Any]:
    return {"day": day.isoformat(), "open": [describe_period(*period) for period in periods]}


def describe_timeline(timeline: Timeline, *, for_staff: bool) -> dict[str, Any]:
    return {
        "space": describe_space_brief(timeline.listing),
        "days": [describe_open_day(day.day, day.open) for day in timeline.days],
        "resources": [
            {
                "resource": describe_resource_brief(lines.offer),
                "units": [
                    {
                        "id": str(line.id),
                        "name": line.name,
                        "busy": [_describe_busy(busy, for_staff=for_staff) for busy in line.busy],
                    }
                    for line in lines.units
                ],
            }
            for lines in timeline.resources
        ],
    }


def _describe_busy(busy: Busy, *, for_staff: bool) -> dict[str, Any]:
    described: dict[str, Any] = describe_period(busy.start, busy.end)
    if for_staff:
        described["kind"] = busy.kind
    if busy.booking:
        booking = busy.booking
        described["booking"] = {
            "id": str(booking.id),
            "status": booking.status,
            "title": booking.title,
            "member": {"id": str(booking.member_id), "name": booking.member_name},
            **describe_period(booking.starts_at, booking.ends_at),
        }
    return described
