"""The operator whose books a request is about."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.network.models import Operator
from app.network.people import Person


def kept_operator(session: Session, uid: UUID, *, person: Person) -> Operator:
    """The operator, for who keeps its books. Raises NotFound, or NotAllowed for others who work for it."""
    operator = session.scalars(select(Operator).where(Operator.uid == uid)).one_or_none()
    if operator is None:
        raise NotFound()
    person.require_books(operator.id)
    return operator
