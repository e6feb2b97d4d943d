"""Who a charge stands on the account of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.charges.places import Place
from app.errors import NotFound
from app.network.models import Member
from app.network.parties.models import Party
from app.network.parties.services import ensure_for_member, for_payer


def party_of(session: Session, payer_uid: str | None, member_id: int, place: Place, *, now: datetime) -> int:
    """The party that an event names, or the member's own. Raises NotFound for a party that is not there."""
    if payer_uid is not None:
        return for_payer(session, payer_uid, member_id, country=place.country, now=now).id
    try:
        return ensure_for_member(session, member_id, country=place.country, now=now).id
    except NotFound:
        return _nameless(session, member_id, place, now=now)


def _nameless(session: Session, member_id: int, place: Place, *, now: datetime) -> int:
    """For a member who erased the account before anything was charged: what is owed stays, under a number alone."""
    uid = session.scalars(select(Member.uid).where(Member.id == member_id)).one()
    party = Party(member_id=member_id, name=str(uid), country=place.country, changed_at=now)
    session.add(party)
    session.flush()
    return party.id
