"""The trail: which member of staff looked at, or changed, somebody else's data, and when. Append-only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.db import raw
from app.network.models import AuditEntry
from app.network.people import Person

# By raw: the actor is a colleague, whose row a manager does not otherwise see. The caller has checked MANAGE.
_TRAIL = raw(
    """
    SELECT a.id, a.at, a.action, a.subject, m.uid AS actor_uid, m.name AS actor_name
    FROM audit_entry a JOIN member m ON m.id = a.actor_id
    WHERE a.space_id = :space_id AND a.id < :before ORDER BY a.id DESC LIMIT :limit
    """
)
NEWEST = 2**63 - 1


def note(session: Session, person: Person, action: str, space_id: int | None, subject: str, now: datetime) -> None:
    """Write down that `person` did `action` (e.g. booking.viewed) to `subject` (a public id) in a space.

    Looking at one's own data is nobody's business: callers note others' only.
    """
    session.add(AuditEntry(at=now, actor_id=person.member_id, space_id=space_id, action=action, subject=str(subject)))


def trail(session: Session, *, space_id: int, before: int | None, limit: int) -> Sequence[Any]:
    """Entries of one space, newest first. For its managers."""
    values = {"space_id": space_id, "before": before or NEWEST, "limit": limit}
    return session.execute(_TRAIL, values).all()
