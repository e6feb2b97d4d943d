"""The closings of an operator, for who keeps its books."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.closings.models import Closing
from app.errors import NotFound
from app.network.models import Operator
from app.network.people import Person


def closings_of(
    session: Session, person: Person, operator_uid: UUID, *, kind: str, before: int | None, limit: int
) -> Sequence[Closing]:
    """Newest first, those with a number under `before`. Raises NotFound, or NotAllowed, as Person.require_books."""
    operator_id = session.scalar(select(Operator.id).filter_by(uid=operator_uid))
    if operator_id is None:
        raise NotFound()
    person.require_books(operator_id)
    wanted = select(Closing).filter_by(operator_id=operator_id, kind=kind)
    if before is not None:
        wanted = wanted.where(Closing.number < before)
    return session.scalars(wanted.order_by(Closing.number.desc()).limit(limit)).all()
