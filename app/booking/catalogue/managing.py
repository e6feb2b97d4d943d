"""The way into every change of a catalogue: may they, is it the version they read, and one change at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Resource, Unit
from app.errors import NotFound, Problem
from app.http.preconditions import etag
from app.network.models import Space
from app.network.people import Person
from app.network.roles import MANAGE

CheckMatch = Callable[[str], None]


class InUse(Problem):
    """It has bookings to come; `upcoming` says how many. Move or cancel them first."""

    code = "in_use"
    status = 409
    title = "It still has bookings to come."


def space_to_change(
    session: Session, person: Person, space_uid: UUID, *, check_match: CheckMatch | None = None
) -> Space:
    """The space, locked until the end of the transaction so that two managers' changes come one after the other.

    Raises NotFound, NotAllowed, VersionNeeded or StaleVersion. `check_match` compares If-Match with the space's ETag.
    """
    space = _locked(session, person, Space.uid == space_uid)
    if check_match:
        check_match(etag(space.uid, space.revision))
    return space


def resource_to_change(
    session: Session, person: Person, resource_uid: UUID, *, check_match: CheckMatch
) -> tuple[Space, Resource]:
    """A resource that is not archived, and its locked space."""
    return _part_to_change(session, person, Resource, resource_uid, check_match)


def unit_to_change(session: Session, person: Person, unit_uid: UUID, *, check_match: CheckMatch) -> tuple[Space, Unit]:
    """A unit that is not archived, and its locked space."""
    return _part_to_change(session, person, Unit, unit_uid, check_match)


def _part_to_change(
    session: Session, person: Person, entity: Any, uid: UUID, check_match: CheckMatch
) -> tuple[Space, Any]:
    space_id = session.scalar(select(entity.space_id).where(entity.uid == uid))
    if space_id is None:
        raise NotFound()
    space = _locked(session, person, Space.id == space_id)
    part = session.scalars(select(entity).where(entity.uid == uid).execution_options(populate_existing=True)).one()
    if part.archived_at is not None:
        raise NotFound()
    check_match(etag(part.uid, space.revision))
    return space, part


def _locked(session: Session, person: Person, which: Any) -> Space:
    space_id = session.scalar(select(Space.id).where(which))
    if space_id is None:
        raise NotFound()
    person.require(MANAGE, space_id)
    locked = select(Space).where(which).with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalars(locked).one()


def etag_now(session: Session, uid: UUID, space: Space) -> str:
    """The ETag of a part of the space after what was changed in this transaction."""
    session.flush()
    session.refresh(space, ["revision"])
    return etag(uid, space.revision)
