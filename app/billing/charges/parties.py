"""Who a charge stands on the account of."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.charges.places import Place, member_id_of
from app.db import raw
from app.errors import Invalid, NotFound
from app.network.models import Member
from app.network.parties.models import Party
from app.network.parties.services import ensure_for_member, for_payer
from app.network.parties.standing import BUSINESS, standing

# By raw: an operator's people see a party once it was charged, and this is to be the first time.
_OF_MEMBER = raw("SELECT id, member_id, country, is_business, vat_number, vat_status FROM party WHERE member_id = :id")


class Payer(NamedTuple):
    """A party, and whether it counts as a business for VAT."""

    party_id: int
    member_id: int | None
    country: str
    is_business: bool


def party_of(session: Session, payer_uid: str | None, member_id: int, place: Place, *, now: datetime) -> int:
    """The party that an event names, or the member's own. Raises NotFound for a party that is not there."""
    if payer_uid is not None:
        return for_payer(session, payer_uid, member_id, country=place.country, now=now).id
    try:
        return ensure_for_member(session, member_id, country=place.country, now=now).id
    except NotFound:
        return _nameless(session, member_id, place, now=now)


def named_by_staff(
    session: Session, *, party_uid: UUID | None, member_uid: UUID | None, place: Place, now: datetime
) -> Payer:
    """A party that was charged before, or a guest of theirs. Raises Invalid unless one of the two is named, NotFound
    for somebody they do not see."""
    if (party_uid is None) == (member_uid is None):
        raise Invalid.field("party_id", "name who owes it: party_id or member_id, one of them")
    if member_uid is not None:
        return _of_member(session, member_id_of(session, member_uid), place, now=now)
    party = session.scalar(select(Party).where(Party.uid == party_uid))
    if party is None:
        raise NotFound()
    return _payer(party)


def _of_member(session: Session, member_id: int, place: Place, *, now: datetime) -> Payer:
    found = session.execute(_OF_MEMBER, {"id": member_id}).one_or_none()
    if found is None:
        with suppress(NotFound):  # made, but not seen before it is charged; or erased, and not made
            ensure_for_member(session, member_id, country=place.country, now=now)
        found = session.execute(_OF_MEMBER, {"id": member_id}).one_or_none()
    if found is None:
        raise NotFound()
    return _payer(found)


def _payer(row: Any) -> Payer:
    known = standing(is_business=row.is_business, vat_number=row.vat_number, vat_status=row.vat_status)
    return Payer(row.id, row.member_id, row.country, known.treated_as == BUSINESS)


def _nameless(session: Session, member_id: int, place: Place, *, now: datetime) -> int:
    """For a member who erased the account before anything was charged: what is owed stays, under a number alone."""
    uid = session.scalars(select(Member.uid).where(Member.id == member_id)).one()
    party = Party(member_id=member_id, name=str(uid), country=place.country, changed_at=now)
    session.add(party)
    session.flush()
    return party.id
