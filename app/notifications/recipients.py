"""Where a mail goes: the address as it is when it is sent, and the name that it greets."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from app.network.accounts import normalised_email
from app.network.models import Member
from app.network.parties.models import Party
from app.notifications.models import Notification


class Recipient(NamedTuple):
    """`email` is None where nothing can be sent, for the `reason`; `member_uid` is the member's whose mail it is."""

    email: str | None
    name: str
    member_uid: UUID | None = None
    reason: str = "erased"


def recipient_of(session: Session, notification: Notification) -> Recipient:
    """The party's own address for mails to it, while it has one; else the member's."""
    party = _party(session, notification)
    member = _member(session, notification)
    if party is not None and party.email:
        own = member is not None and same(member.email, party.email)
        return Recipient(party.email, member.name if member and own else party.name, member.uid if member else None)
    if member is not None:
        return Recipient(member.email, member.name, member.uid)
    return Recipient(None, "", reason="erased" if notification.member_id else "no_address")


def address_of(session: Session, notification: Notification) -> str | None:
    return recipient_of(session, notification).email


def same(one: str | None, other: str) -> bool:
    return one is not None and normalised_email(one) == normalised_email(other)


def _party(session: Session, notification: Notification) -> Party | None:
    if notification.party_id is None:
        return None
    return session.get_one(Party, notification.party_id, populate_existing=True)


def _member(session: Session, notification: Notification) -> Member | None:
    """The member, while they live."""
    if notification.member_id is None:
        return None
    member = session.get_one(Member, notification.member_id, populate_existing=True)
    return None if member.erased_at is not None else member
