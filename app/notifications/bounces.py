"""Addresses that send mail back: what is remembered of them, by hash, and when nothing more is sent there.

A failure for good (RFC 3463, class 5) stops mails to the address at once; passing ones do when three mails in a row,
of different days, came back. Some codes of class 5 blame the mail, the moment or us rather than the address: they count
as passing. A mail between two that came back, and that did not, begins the count anew: the rows of sent mails tell, so
that a success needs no call. The member ends it by saying that the address works, or by having another one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db import raw
from app.network.accounts import normalised_email
from app.notifications.models import MailAddressState, Notification
from app.notifications.recipients import address_of
from app.notifications.reports import Failure

HARD, SOFT = "hard", "soft"
MOST_SOFT = 3
# A report may overtake the server's yes: its mail has left, whatever we know of it.
GONE = ("sent", "sending", "pending")
APART = timedelta(hours=20)  # two failures that are nearer to each other are one
# Class 5, but not the address's fault: no room in it, its system, the way there, a policy or a filter.
PASSING = re.compile(r"5\.2\.2|5\.[347]\.\d+")
_ADDRESS = re.compile(r"[^\s<>;:,\"'()]+@[^\s<>;:,\"'()]+")

# By raw: a person may know of their own address, which they name; the rows are nobody's.
_STATE = raw("SELECT bounce_kind FROM mail_address_state WHERE address_hash = :address_hash")
_CONFIRM = raw("DELETE FROM mail_address_state WHERE address_hash = :address_hash")


def address_hash(email: str) -> bytes:
    return hashlib.sha256(normalised_email(email).encode("utf-8", "surrogatepass")).digest()


def mails_come_back(session: Session, email: str) -> bool:
    """Whether nothing is to be sent to this address."""
    found = session.execute(_STATE, {"address_hash": address_hash(email)}).scalar_one_or_none()
    return found == HARD


def confirm_address(session: Session, email: str) -> None:
    """Its owner says that it takes mail: what came back before is forgotten."""
    session.execute(_CONFIRM, {"address_hash": address_hash(email)})


def severity(status: str) -> str:
    return HARD if status.startswith("5.") and not PASSING.fullmatch(status) else SOFT


def record_refusal(
    session: Session,
    *,
    member_id: int | None,
    email: str,
    status: str,
    error: str,
    sent_at: datetime,
    party_id: int | None = None,
) -> str:
    """Remember that a mail sent to `email` at `sent_at` was refused, or came back, with an RFC 3463 `status`.

    Returns what the address is now: hard (nothing more is sent there) or soft. For the system.
    """
    whose = Notification.member_id == member_id if party_id is None else Notification.party_id == party_id
    kept = _kept(session, email, sent_at)
    if kept.count == 0 or sent_at - kept.bounced_at >= APART:
        in_a_row = not _any_arrived(session, whose, after=kept.bounced_at, before=sent_at)
        kept.count = kept.count + 1 if in_a_row else 1
        kept.bounced_at = sent_at
    if severity(status) == HARD or kept.count >= MOST_SOFT:
        kept.bounce_kind = HARD
    kept.last_error = without_address(f"{status} {error}")
    session.flush()
    return kept.bounce_kind


def _kept(session: Session, email: str, sent_at: datetime) -> MailAddressState:
    """What is known of the address, locked; a new row counts none yet."""
    known = address_hash(email)
    new = insert(MailAddressState).values(address_hash=known, bounced_at=sent_at, bounce_kind=SOFT, count=0)
    session.execute(new.on_conflict_do_nothing())
    row = select(MailAddressState).where(MailAddressState.address_hash == known).with_for_update()
    return session.scalars(row.execution_options(populate_existing=True)).one()


def _any_arrived(session: Session, whose: ColumnElement[bool], *, after: datetime, before: datetime) -> bool:
    """Whether a mail of that time, of those that are `whose`, was taken, and has not come back."""
    taken = select(Notification.id).where(
        whose,
        Notification.state == "sent",
        Notification.sent_at > after,
        Notification.sent_at < before,
    )
    return session.scalars(taken.limit(1)).first() is not None


def record_report(session: Session, failure: Failure, *, now: datetime) -> Notification | None:
    """What a report says of one of our mails, once however often it comes; None when it names none. For the system."""
    notification = _reported(session, failure.named)
    if notification is None or notification.state not in GONE:
        return notification
    notification.state, notification.reason, notification.claimed_until = "bounced", failure.status, None
    notification.last_error = without_address(failure.text) or None
    email = address_of(session, notification)
    if email and (failure.recipient is None or address_hash(failure.recipient) == address_hash(email)):
        record_refusal(
            session,
            member_id=notification.member_id,
            party_id=notification.party_id,
            email=email,
            status=failure.status,
            error=failure.text,
            sent_at=notification.sent_at or now,
        )
    session.flush()
    return notification


def _reported(session: Session, named: Sequence[UUID]) -> Notification | None:
    """The mail is the first named that we sent: the report has a Message-ID of its own, and may quote others."""
    rows = select(Notification).where(Notification.uid.in_(named)).with_for_update()
    found = {row.uid: row for row in session.scalars(rows)}
    return next((found[uid] for uid in named if uid in found), None)


def without_address(text: str) -> str:
    """Servers quote the address that they refuse; of an address only its hash is kept."""
    return _ADDRESS.sub("[address]", text)[:500].strip()
