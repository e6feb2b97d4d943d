"""What spaces offer, and its managers' changes, over HTTP.

The ETag of a space, a resource or a unit is of the space's revision: nobody changes what a colleague has changed
since, even elsewhere in the same catalogue.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint
from sqlalchemy import select

from app.booking.catalogue import opening, resources, schemas, terms
from app.booking.catalogue.managing import etag_now, resource_to_change, space_to_change, unit_to_change
from app.booking.catalogue.remembering import load_offer, offer_of
from app.booking.finding.timeline import parse_day
from app.booking.localtime import local_day
from app.booking.models import Resource
from app.errors import NotFound
from app.http.operation import Call, Reply, operation
from app.http.preconditions import etag
from app.network.models import Space

blueprint = Blueprint("catalogue", __name__)


@operation(
    blueprint, "POST", "/spaces/<space_id>/resources", body=schemas.NewResource, returns=schemas.ResourceShape,
    status=201, problems=(403, 404), etag=True, located=True,
)  # fmt: skip
def create_resource(call: Call, space_id: UUID, body: dict[str, Any]) -> Reply:
    """Offer something new: over new units, or over units the space has (a combination takes `all` of them)."""
    space = space_to_change(call.session, call.person, space_id)
    resource = resources.create_resource(call.session, space, **body)
    return _changed(call, space, resource, status=201)


@operation(
    blueprint,
    "GET",
    "/resources/<resource_id>",
    returns=schemas.ResourceShape,
    signed_in=False,
    problems=(404,),
    etag=True,
)
def show_resource(call: Call, resource_id: UUID) -> Reply:
    """One resource, with its rules, units and prices."""
    offer = offer_of(call.session, resource_id)
    return Reply(schemas.describe_resource(offer), etag=etag(offer.resource_uid, offer.space_revision))


@operation(
    blueprint, "PATCH", "/resources/<resource_id>", body=schemas.ResourceChange, returns=schemas.ResourceShape,
    if_match=True, problems=(403, 404), etag=True,
)  # fmt: skip
def change_resource(call: Call, resource_id: UUID, body: dict[str, Any]) -> Reply:
    """Change what is given; `unit_ids` replaces the units it takes."""
    space, resource = resource_to_change(call.session, call.person, resource_id, check_match=call.check_match)
    resources.change_resource(call.session, space, resource, body)
    return _changed(call, space, resource)


@operation(blueprint, "DELETE", "/resources/<resource_id>", status=204, if_match=True, problems=(403, 404, 409))
def archive_resource(call: Call, resource_id: UUID) -> None:
    """Take a resource out of what can be booked. With bookings to come: 409 `in_use`."""
    _, resource = resource_to_change(call.session, call.person, resource_id, check_match=call.check_match)
    resources.archive_resource(call.session, resource, now=call.now)


@operation(
    blueprint, "PUT", "/resources/<resource_id>/rules", body=schemas.RulesShape, returns=schemas.ResourceShape,
    if_match=True, problems=(403, 404), etag=True,
)  # fmt: skip
def replace_rules(call: Call, resource_id: UUID, body: dict[str, Any]) -> Reply:
    """Replace the booking rules and cancellation terms; what is left out gets its default."""
    space, resource = resource_to_change(call.session, call.person, resource_id, check_match=call.check_match)
    terms.set_rules(call.session, resource, **body)
    return _changed(call, space, resource)


@operation(
    blueprint, "POST", "/resources/<resource_id>/prices", body=schemas.NewPrice, returns=schemas.ResourceShape,
    status=201, problems=(403, 404), etag=True, located=True,
)  # fmt: skip
def add_price(call: Call, resource_id: UUID, body: dict[str, Any]) -> Reply:
    """A new version of the prices from a day on; the version without end before it ends there."""
    space, resource = resource_to_change(call.session, call.person, resource_id, check_match=lambda _current: None)
    tiers = [(tier["up_to_minutes"], tier["cents_per_hour"]) for tier in body.pop("hour_tiers")]
    today = local_day(call.now, ZoneInfo(space.timezone))
    terms.add_price(call.session, space, resource, today=today, hour_tiers=tiers, **body)
    return _changed(call, space, resource, status=201)


@operation(
    blueprint, "POST", "/spaces/<space_id>/units", body=schemas.NewUnits, returns=schemas.UnitShape, many=True,
    status=201, problems=(403, 404),
)  # fmt: skip
def create_units(call: Call, space_id: UUID, body: dict[str, Any]) -> list[dict[str, Any]]:
    """New units of a space, for resources to take."""
    space = space_to_change(call.session, call.person, space_id)
    return [schemas.describe_unit(unit) for unit in resources.create_units(call.session, space, names=body["names"])]


@operation(
    blueprint, "PATCH", "/units/<unit_id>", body=schemas.UnitChange, returns=schemas.UnitShape, if_match=True,
    problems=(403, 404), etag=True,
)  # fmt: skip
def rename_unit(call: Call, unit_id: UUID, body: dict[str, Any]) -> Reply:
    """Give a unit another name."""
    space, unit = unit_to_change(call.session, call.person, unit_id, check_match=call.check_match)
    resources.rename_unit(call.session, space, unit, name=body["name"])
    return Reply(schemas.describe_unit(unit), etag=etag_now(call.session, unit.uid, space))


@operation(blueprint, "DELETE", "/units/<unit_id>", status=204, if_match=True, problems=(403, 404, 409))
def archive_unit(call: Call, unit_id: UUID) -> None:
    """Take a unit away. With bookings to come, or as the only one of a resource: 409 `in_use`."""
    space, unit = unit_to_change(call.session, call.person, unit_id, check_match=call.check_match)
    resources.archive_unit(call.session, space, unit, now=call.now)


@operation(
    blueprint,
    "GET",
    "/spaces/<space_id>/opening-hours",
    returns=schemas.AllHoursShape,
    signed_in=False,
    problems=(404,),
    etag=True,
)
def show_opening_hours(call: Call, space_id: UUID) -> Reply:
    """The weekly hours as they are written down, and the exceptions of today and later."""
    space = call.session.scalars(select(Space).where(Space.uid == space_id)).one_or_none()
    if space is None:
        raise NotFound()
    return _hours(call, space)


@operation(
    blueprint, "PUT", "/spaces/<space_id>/opening-hours", body=schemas.OpeningHoursShape,
    returns=schemas.AllHoursShape, if_match=True, problems=(403, 404), etag=True,
)  # fmt: skip
def replace_opening_hours(call: Call, space_id: UUID, body: dict[str, Any]) -> Reply:
    """Replace the weekly hours. Bookings outside of the new ones stay: close the days instead to have them moved."""
    space = space_to_change(call.session, call.person, space_id, check_match=call.check_match)
    opening.set_opening_hours(call.session, space, **body)
    return _hours(call, space)


@operation(
    blueprint, "POST", "/spaces/<space_id>/hours-exceptions", body=schemas.ExceptionShape,
    returns=schemas.ExceptionShape, status=201, problems=(403, 404), etag=True,
)  # fmt: skip
def create_hours_exception(call: Call, space_id: UUID, body: dict[str, Any]) -> Reply:
    """Other hours on one day, instead of what was said of it before; without openings it is closed."""
    space = space_to_change(call.session, call.person, space_id)
    opening.set_exception(call.session, space, **body)
    written = opening.exceptions_from(call.session, space.id, body["day"])
    of_day = [row for row in written if row.day == body["day"]]
    return Reply(schemas.describe_exception(of_day), etag=etag_now(call.session, space.uid, space))


@operation(
    blueprint, "DELETE", "/spaces/<space_id>/hours-exceptions/<day>", status=204, if_match=True, problems=(403, 404)
)
def delete_hours_exception(call: Call, space_id: UUID, day: str) -> None:
    """Have a day's usual hours again."""
    space = space_to_change(call.session, call.person, space_id, check_match=call.check_match)
    opening.remove_exception(call.session, space, day=parse_day(day))


def _hours(call: Call, space: Space) -> Reply:
    current = etag_now(call.session, space.uid, space)
    today = local_day(call.now, ZoneInfo(space.timezone))
    described = schemas.describe_hours(
        opening.weekly_rows(call.session, space.id),
        opening.exceptions_from(call.session, space.id, today),
        closed_on_holidays=space.closed_on_holidays,
    )
    return Reply(described, etag=current)


def _changed(call: Call, space: Space, resource: Resource, *, status: int = 200) -> Reply:
    current = etag_now(call.session, resource.uid, space)
    described = schemas.describe_resource(load_offer(call.session, resource.uid))
    location = f"/api/v1/resources/{resource.uid}" if status == 201 else None
    return Reply(described, status=status, etag=current, location=location)
