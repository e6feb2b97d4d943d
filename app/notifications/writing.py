"""The row that says a mail is to be sent: written once per kind, subject and person, whoever asks how often."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import Statement
from app.ids import new_id
from app.languages import language_of
from app.notifications.facts import BookingFacts

_WRITE = Statement("""
    INSERT INTO notification (uid, key, kind, member_id, party_id, document_uid, space_id, booking_id, event_id, locale,
                              facts, state, reason, created_at, send_after, useless_after)
    VALUES (:uid, :key, :kind, :member_id, :party_id, :document_uid, :space_id, :booking_id, :event_id, :locale,
            CAST(:facts AS jsonb), :state, :reason, :now, :now, :useless_after)
    ON CONFLICT (key) DO NOTHING
""")
_WRITTEN = Statement("SELECT FROM notification WHERE key = :key")


def key_of(kind: str, about: str, to_uid: UUID) -> str:
    """`to_uid` is the member, or the party, that the mail is to."""
    return f"{kind}:{about}:{to_uid}"


def written(session: Session, *, kind: str, about: str, member_uid: UUID) -> bool:
    """Whether this mail has been written down before: for who would have much to do before writing it."""
    return _WRITTEN.run(session, {"key": key_of(kind, about, member_uid)}).rowcount > 0


def write(
    session: Session,
    *,
    kind: str,
    about: str,
    member_id: int | None,
    member_uid: UUID,
    locale: str,
    facts: dict[str, Any],
    now: datetime,
    booking: BookingFacts | None = None,
    space_id: int | None = None,
    event_id: UUID | None = None,
    useless_after: datetime | None = None,
    party_id: int | None = None,
    document_uid: UUID | None = None,
    suppressed: str | None = None,
) -> bool:
    """Write down a mail to be sent, once: False when the same was written before.

    `about` tells this mail from others of its kind to the same person; a party's own address goes by the party's uid.
    It is not sent once `useless_after` has passed, nor at all where it is `suppressed` for a reason.
    """
    row = {
        "uid": new_id(),
        "key": key_of(kind, about, member_uid),
        "kind": kind,
        "member_id": member_id,
        "party_id": party_id,
        "document_uid": document_uid,
        "state": "suppressed" if suppressed else "pending",
        "reason": suppressed,
        "space_id": booking.space_id if booking else space_id,
        "booking_id": booking.id if booking else None,
        "event_id": event_id,
        "locale": language_of(locale),
        "facts": json.dumps(facts),
        "now": now,
        "useless_after": useless_after,
    }
    return _WRITE.run(session, row).rowcount > 0
