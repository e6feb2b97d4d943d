"""Whose a membership is: who signed, who pays; and people found by the id that they gave.

The statements are raw, because the person who acts need not see the rows: a member of a team its payer, a desk a
person who has never been there. They tell the caller nothing but what goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import raw
from app.errors import Invalid
from app.network.memberships.contracts import Contract
from app.network.memberships.models import Membership
from app.network.parties.models import Party

_MEMBER = raw("SELECT id FROM member WHERE uid = :uid AND erased_at IS NULL")
_MEMBER_UID = raw("SELECT uid FROM member WHERE id = :id")
_MEMBER_UIDS = raw("SELECT id, uid FROM member WHERE id = ANY(:ids)")
_TEAM_UID = raw("SELECT uid FROM team WHERE id = :id")
_SEATED = raw(
    """
    SELECT DISTINCT member_id FROM team_seat
    WHERE team_id = :team_id AND (until_day IS NULL OR until_day >= greatest(from_day, CAST(:day AS date)))
    """
)
_PARTY = raw("SELECT uid, country, is_business AND vat_status = 'valid' AS is_business FROM party WHERE id = :id")

_OWN_PARTY = raw(
    "SELECT uid, country, is_business AND vat_status = 'valid' AS is_business FROM party WHERE member_id = :member_id"
)


class Payer(NamedTuple):
    """The public id of the party that pays; None is the member as a private person."""

    uid: str | None
    country: str | None
    is_business: bool


MEMBER_PAYS = Payer(None, None, False)


def payer_of(session: Session, membership: Membership) -> Payer:
    if membership.party_id is None:
        return MEMBER_PAYS
    row = session.execute(_PARTY, {"id": membership.party_id}).one()
    return Payer(str(row.uid), row.country, row.is_business)


def customer_of(session: Session, membership: Membership) -> Payer:
    """Whom the VAT depends on: who pays, or the member where they are known as a party themselves."""
    if membership.party_id is not None:
        return payer_of(session, membership)
    row = session.execute(_OWN_PARTY, {"member_id": membership.member_id}).one_or_none()
    return Payer(str(row.uid), row.country, row.is_business) if row else MEMBER_PAYS


def whose(session: Session, contract: Contract) -> dict[str, str]:
    """The ids that every event of a membership has beside its own."""
    member = session.execute(_MEMBER_UID, {"id": contract.membership.member_id}).scalar_one()
    return {
        "membership_id": str(contract.membership.uid),
        "operator_id": str(contract.operator.uid),
        "space_id": str(contract.space.uid),
        "member_id": str(member),
    }


def team_uid(session: Session, membership: Membership) -> str | None:
    """The public id of the team that shares a membership, if one does."""
    if membership.team_id is None:
        return None
    return str(session.execute(_TEAM_UID, {"id": membership.team_id}).scalar_one())


def seated(session: Session, team_id: int, day: date) -> set[int]:
    """Who has a seat of a team on `day`, or is to have one later."""
    return set(session.execute(_SEATED, {"team_id": team_id, "day": day}).scalars())


def member_named(session: Session, uid: UUID, *, field: str = "member_id") -> int:
    """The internal id of the member who gave this id of theirs (`GET /me`). Raises Invalid naming `field`."""
    found: int | None = session.execute(_MEMBER, {"uid": uid}).scalar_one_or_none()
    if found is None:
        raise Invalid.field(field, "there is no such member: ask them for the id that their account shows")
    return found


def member_uids(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """The public ids of members named in rows that the session has found."""
    return {row.id: str(row.uid) for row in session.execute(_MEMBER_UIDS, {"ids": list(ids)})}


def visible_payer(session: Session, uid: UUID) -> int:
    """The internal id of a party that the session's person may have charged. Raises Invalid."""
    found = session.scalar(select(Party.id).where(Party.uid == uid))
    if found is None:
        raise Invalid.field("payer_id", "name a party of yours, or one whose books you keep")
    return found
