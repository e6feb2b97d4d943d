"""Resources and units: made, changed, archived. Nothing with bookings to come is taken away under them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.booking.catalogue.managing import InUse
from app.booking.models import OCCUPYING, Booking, BookingRule, Resource, ResourceUnit, Unit
from app.errors import Invalid
from app.network.models import Space
from app.vat.lettings import Premises, columns_of

MOST_UNITS = 500


def create_resource(
    session: Session, space: Space, *, units: int | None, unit_ids: list[UUID] | None, **values: Any
) -> Resource:
    """A resource over so many new units, or over existing ones of the same space; with the default rules, and free.

    `letting` says of an office how it is let; None is a service. A desk pool holds one person per unit.
    Raises Invalid naming what does not fit together.
    """
    if (units is None) == (unit_ids is None):
        raise Invalid.field("units", "give either a number of new units, or unit_ids of existing ones")
    if unit_ids is None:
        chosen: Sequence[Unit] = create_units(session, space, names=_numbered(values["name"], units or 0))
    else:
        chosen = _units_of(session, space, unit_ids)
    values["capacity"] = _capacity(values["kind"], values.get("capacity"), len(chosen))
    values |= _letting(space, values["kind"], values.pop("letting", None))
    resource = Resource(space_id=space.id, **values)
    session.add(resource)
    session.flush()
    session.add_all(ResourceUnit(resource_id=resource.id, unit_id=unit.id) for unit in chosen)
    session.add(BookingRule(resource_id=resource.id))
    return resource


def _numbered(name: str, units: int) -> list[str]:
    return [name] if units == 1 else [f"{name} {number}" for number in range(1, units + 1)]


def _capacity(kind: str, capacity: int | None, units: int) -> int:
    if kind == "desk_pool":
        if capacity not in (None, units):
            raise Invalid.field("capacity", "a desk pool holds one person per unit: leave it out")
        return units
    return capacity or 1


def _letting(space: Space, kind: str, letting: dict[str, Any] | None) -> dict[str, Any]:
    """The columns that say how an office is let. Raises Invalid on `letting`."""
    if letting is None:
        return columns_of(None)
    if kind != "office":
        raise Invalid.field("letting", "is for an office: a desk, a room or equipment is a service, leave it out")
    premises = Premises(**letting)
    premises.check(space.country)
    return columns_of(premises)


def change_resource(session: Session, space: Space, resource: Resource, changes: dict[str, Any]) -> None:
    """Change what is given: name, description, amenities, capacity, position, which units it takes, and how it is let.

    Bookings made before keep the units they have, and the VAT that was decided. Raises Invalid.
    """
    unit_ids = changes.pop("unit_ids", None)
    if unit_ids is not None:
        units = _units_of(session, space, unit_ids)
        session.execute(delete(ResourceUnit).where(ResourceUnit.resource_id == resource.id))
        session.add_all(ResourceUnit(resource_id=resource.id, unit_id=unit.id) for unit in units)
        if resource.kind == "desk_pool":
            resource.capacity = len(units)
    if "capacity" in changes:
        session.flush()
        changes["capacity"] = _capacity(resource.kind, changes["capacity"], _unit_count(session, resource))
    if "letting" in changes:
        changes |= _letting(space, resource.kind, changes.pop("letting"))
    for name, value in changes.items():
        setattr(resource, name, value)


def _unit_count(session: Session, resource: Resource) -> int:
    counted = (
        select(func.count())
        .select_from(ResourceUnit)
        .join(Unit, Unit.id == ResourceUnit.unit_id)
        .where(ResourceUnit.resource_id == resource.id, Unit.archived_at.is_(None))
    )
    return session.scalar(counted) or 0


def archive_resource(session: Session, resource: Resource, *, now: datetime) -> None:
    """Take a resource out of what can be booked; its units stay. Raises InUse."""
    upcoming = select(func.count()).select_from(Booking).where(Booking.resource_id == resource.id)
    _refuse_in_use(session, upcoming, now)
    resource.archived_at = now


def create_units(session: Session, space: Space, *, names: Iterable[str]) -> list[Unit]:
    """New units of a space, in the order of their names. Raises Invalid for a name that a unit there has."""
    wanted = list(names)
    taken = select(Unit.name).where(Unit.space_id == space.id, Unit.archived_at.is_(None), Unit.name.in_(wanted))
    repeated = [name for name in wanted if wanted.count(name) > 1]
    for name in [*session.scalars(taken), *repeated]:
        raise Invalid.field("name", f"a unit named {name!r} exists already: choose another name")
    units = [Unit(space_id=space.id, name=name) for name in wanted]
    session.add_all(units)
    session.flush()
    return units


def rename_unit(session: Session, space: Space, unit: Unit, *, name: str) -> None:
    """Raises Invalid for a name that another unit of the space has."""
    taken = select(Unit.id).where(
        Unit.space_id == space.id, Unit.archived_at.is_(None), Unit.name == name, Unit.id != unit.id
    )
    if session.scalar(taken.limit(1)) is not None:
        raise Invalid.field("name", f"a unit named {name!r} exists already: choose another name")
    unit.name = name


def archive_unit(session: Session, space: Space, unit: Unit, *, now: datetime) -> None:
    """Take a unit out of every resource that takes it. Raises InUse.

    A desk pool then holds one fewer; a resource never loses its last unit this way, but is archived first.
    """
    upcoming = select(func.count()).select_from(Booking).where(Booking.unit_ids.contains([unit.id]))
    _refuse_in_use(session, upcoming.where(Booking.space_id == space.id), now)
    unit.archived_at = now
    session.flush()
    taking = select(Resource).join(ResourceUnit, ResourceUnit.resource_id == Resource.id)
    for resource in session.scalars(taking.where(ResourceUnit.unit_id == unit.id, Resource.archived_at.is_(None))):
        left = _unit_count(session, resource)
        if left == 0:
            raise InUse(
                resource_id=str(resource.uid), remedy="it is the only unit of this resource: archive that first"
            )
        if resource.kind == "desk_pool":
            resource.capacity = left


def _refuse_in_use(session: Session, bookings: Any, now: datetime) -> None:
    upcoming = session.scalar(bookings.where(Booking.ends_at > now, Booking.status.in_(OCCUPYING)))
    if upcoming:
        raise InUse(upcoming=upcoming, remedy="move or cancel its bookings first")


def _units_of(session: Session, space: Space, uids: list[UUID]) -> Sequence[Unit]:
    """Units of this very space, not archived. Raises Invalid naming the place in `unit_ids` of one that is not."""
    mine = select(Unit).where(Unit.space_id == space.id, Unit.archived_at.is_(None), Unit.uid.in_(uids))
    found = {unit.uid: unit for unit in session.scalars(mine)}
    for position, uid in enumerate(uids):
        if uid not in found:
            raise Invalid.field(f"unit_ids.{position}", "is no unit of this space")
        if uid in uids[:position]:
            raise Invalid.field(f"unit_ids.{position}", "give each unit once")
    return list(found.values())
