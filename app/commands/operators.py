"""An operator as people type it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.network.models import Operator

OPERATOR = "Its public id, or its company number (numéro BCE, SIREN)."


def operator_named(session: Session, name: str) -> Operator:
    """Raises BadParameter when there is none of that id or number."""
    from sqlalchemy import select

    from app.network.models import Operator

    wanted = Operator.company_number == name.replace(".", "").replace(" ", "")
    with suppress(ValueError):
        wanted = Operator.uid == UUID(name)
    operator = session.scalars(select(Operator).where(wanted)).one_or_none()
    if operator is None:
        raise click.BadParameter(f"there is no operator {name}", param_hint="--operator")
    return operator
