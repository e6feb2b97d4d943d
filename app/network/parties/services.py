"""Finding the party that pays, and making a member's own when first it is needed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import raw
from app.errors import NotFound
from app.ids import new_id
from app.network.parties.models import Party

_MAKE = raw(
    """
    INSERT INTO party (uid, member_id, name, country, email, locale, changed_at)
    SELECT :uid, m.id, m.name, :country, m.email, m.locale, :now FROM member m
    WHERE m.id = :member_id AND m.erased_at IS NULL
    ON CONFLICT (member_id) DO NOTHING
    """
)


def ensure_for_member(session: Session, member_id: int, *, country: str, now: datetime) -> Party:
    """The party that stands for a member: a private person of `country` until billing details say more.

    Two that need it at once get the same row. Raises NotFound for a member who has been erased without ever paying.
    """
    if party := _of_member(session, member_id):
        return party
    values = {"uid": new_id(), "member_id": member_id, "country": country, "now": now}
    session.execute(_MAKE, values)
    if party := _of_member(session, member_id):
        return party
    raise NotFound()


def for_payer(session: Session, payer_uid: UUID | str | None, member_id: int, *, country: str, now: datetime) -> Party:
    """The party `payer_uid` names, or, where nobody else pays, the member's own.

    Raises NotFound for a payer that is not there or not this session's to see.
    """
    if payer_uid is None:
        return ensure_for_member(session, member_id, country=country, now=now)
    party = session.scalar(select(Party).where(Party.uid == UUID(str(payer_uid))))
    if party is None:
        raise NotFound()
    return party


def _of_member(session: Session, member_id: int) -> Party | None:
    return session.scalar(select(Party).where(Party.member_id == member_id))
