"""What a person wants to be told by mail: by kind, the default of the table until they say otherwise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.network.people import Person
from app.network.roles import MANAGE, ROLES
from app.notifications.kinds import KINDS, ROWS, Kind
from app.notifications.models import NotificationPreference


@dataclass(frozen=True, slots=True)
class Preference:
    """Whether a person is told of a kind of fact, and whether they may change that."""

    kind: Kind
    wanted: bool

    @property
    def can_change(self) -> bool:
        return self.kind.optional


def wanted(session: Session, member_id: int, kind: str) -> bool:
    """Whether to write to the member about a fact of this kind. What is owed to them is always wanted."""
    return _holds(KINDS[kind], _said(session, member_id))


def list_preferences(session: Session, person: Person) -> list[Preference]:
    """Every kind that concerns the person, in the order of the table."""
    said = _said(session, person.member_id)
    return [Preference(kind, _holds(kind, said)) for kind in kinds_for(person)]


def _said(session: Session, member_id: int) -> dict[str, bool]:
    """What the member has said, by kind."""
    mine = select(NotificationPreference.kind, NotificationPreference.wanted)
    rows = session.execute(mine.where(NotificationPreference.member_id == member_id))
    return {row.kind: row.wanted for row in rows}


def _holds(kind: Kind, said: Mapping[str, bool]) -> bool:
    return not kind.optional or said.get(kind.name, kind.default)


def kinds_for(person: Person) -> list[Kind]:
    manages = any(MANAGE in ROLES[grant.role][1] for grant in person.grants)
    return [kind for kind in ROWS if kind.to == "member" or manages]


def change_preferences(session: Session, *, member_id: int, choices: Mapping[str, bool], now: datetime) -> None:
    """Say what is wanted of each kind named. Raises Invalid naming the kind that cannot be switched off."""
    for name, choice in choices.items():
        if KINDS[name].optional:
            _keep(session, member_id, name, choice, now)
        elif not choice:
            raise Invalid.field(name, "is owed to you, and cannot be switched off")


def _keep(session: Session, member_id: int, kind: str, choice: bool, now: datetime) -> None:
    row = insert(NotificationPreference).values(member_id=member_id, kind=kind, wanted=choice, changed_at=now)
    told = {"wanted": choice, "changed_at": now}
    session.execute(
        row.on_conflict_do_update(
            index_elements=[NotificationPreference.member_id, NotificationPreference.kind], set_=told
        )
    )


def version(preferences: list[Preference]) -> str:
    """A strong validator of what a person wants."""
    said = json.dumps([(each.kind.name, each.wanted) for each in preferences])
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'
