"""What mails know about a person: told to them on request, and forgotten with their account.

A notification names nobody, and stays as the record that something was told; what it quotes of a booking goes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.events.envelope import instant
from app.network import privacy
from app.network.models import Member
from app.notifications.bounces import confirm_address
from app.notifications.models import Notification, NotificationPreference

OPEN = ("pending", "sending")


@privacy.eraser
def forget(session: Session, member_id: int, *, now: datetime) -> None:
    """What they wanted, what was quoted to them and how their address fared; what was still to be sent is not."""
    email = session.scalars(select(Member.email).where(Member.id == member_id)).one_or_none()
    if email:
        confirm_address(session, email)
    mine = Notification.member_id == member_id
    for statement in (
        delete(NotificationPreference).where(NotificationPreference.member_id == member_id),
        update(Notification).where(mine, Notification.state.in_(OPEN)).values(
            state="suppressed", reason="erased", claimed_until=None
        ),
        update(Notification).where(mine).values(facts={}, last_error=None),
    ):  # fmt: skip
        session.execute(statement.execution_options(synchronize_session=False))


@privacy.exporter("notifications")
def exported_notifications(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    rows = session.scalars(select(Notification).where(Notification.member_id == member_id).order_by(Notification.id))
    return [
        {
            "id": str(row.uid),
            "kind": row.kind,
            "language": row.locale,
            "facts": row.facts,
            "state": row.state,
            "created_at": instant(row.created_at),
            "sent_at": instant(row.sent_at) if row.sent_at else None,
        }
        for row in rows
    ]


@privacy.exporter("notification_preferences")
def exported_preferences(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    mine = select(NotificationPreference).where(NotificationPreference.member_id == member_id)
    rows = session.scalars(mine.order_by(NotificationPreference.kind))
    return [{"kind": row.kind, "wanted": row.wanted, "changed_at": instant(row.changed_at)} for row in rows]
