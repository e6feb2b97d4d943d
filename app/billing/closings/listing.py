"""The closings of an operator, for who keeps its books."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.closings.models import Closing
from app.network.operators import kept_operator
from app.network.people import Person


def closings_of(
    session: Session, person: Person, operator_uid: UUID, *, kind: str, before: int | None, limit: int
) -> Sequence[Closing]:
    """Newest first, those with a number under `before`. Raises NotFound, or NotAllowed, as Person.require_books."""
    operator = kept_operator(session, operator_uid, person=person)
    wanted = select(Closing).filter_by(operator_id=operator.id, kind=kind)
    if before is not None:
        wanted = wanted.where(Closing.number < before)
    return session.scalars(wanted.order_by(Closing.number.desc()).limit(limit)).all()
