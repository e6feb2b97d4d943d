"""Where no mail server is set, mails are files (outbox_folder.py): a member reads their own, and nobody else's.

Which files are theirs is told by the rows of their notifications; a file is found by its row's own id and day, never by
anything that came with a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.notifications.models import Notification
from app.notifications.outbox_folder import FOLDER

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Written:
    """One mail as its recipient reads it; `calendar` is the file that came with it."""

    uid: UUID
    at: datetime
    subject: str
    text: str
    calendar: bytes | None


def written_mails(session: Session, home: Path, *, member_id: int) -> list[Written]:
    """The member's newest mails that are still there, newest first."""
    mine = _sent_to(session, member_id, Notification.uid.is_not(None))
    return [mail for row in mine if (mail := _read(home, row)) is not None]


def written_mail(session: Session, home: Path, *, member_id: int, uid: UUID) -> Written | None:
    """One of the member's mails; None for anybody else's, as for one that is not there."""
    mine = _sent_to(session, member_id, Notification.uid == uid)
    return _read(home, mine[0]) if mine else None


def _sent_to(session: Session, member_id: int, which: object) -> Sequence[Notification]:
    sent = select(Notification).where(Notification.member_id == member_id, Notification.state == "sent", which)  # type: ignore[arg-type]
    return session.scalars(sent.order_by(Notification.sent_at.desc(), Notification.id.desc()).limit(MOST_SHOWN)).all()


def _read(home: Path, row: Notification) -> Written | None:
    file = home / FOLDER / f"{row.created_at:%Y-%m-%d}" / f"{row.uid}.eml"
    with suppress(OSError):
        message = message_from_bytes(file.read_bytes(), policy=default)
        assert isinstance(message, EmailMessage) and row.sent_at is not None
        body = message.get_body(("plain",))
        text = str(body.get_content()) if body is not None else ""
        return Written(row.uid, row.sent_at, str(message["Subject"]), text, _calendar(message))
    return None


def _calendar(message: EmailMessage) -> bytes | None:
    parts = (part for part in message.walk() if part.get_content_type() == "text/calendar")
    found = next(parts, None)
    octets = found.get_payload(decode=True) if found is not None else None
    return octets if isinstance(octets, bytes) else None
