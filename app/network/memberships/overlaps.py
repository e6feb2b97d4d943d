"""One membership of a member at a space on a day."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import Problem
from app.network.memberships.models import Membership


class MembershipOverlap(Problem):
    """`membership_id`, `starts_on` and `ends_on` are of the one that is in the way."""

    code: ClassVar[str] = "membership_overlap"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "There is another membership at this space on some of those days."


def check_apart(
    session: Session, *, member_id: int, space_id: int, first: date, last: date | None, but: int | None = None
) -> None:
    """Raises MembershipOverlap where the member has another at the space on one of the days `[first, last]`.

    The constraint on `exclusive` rows keeps two signed at the same instant apart; this says which is in the way, and
    sees those made before there was a constraint.
    """
    overlapping = select(Membership).where(
        Membership.member_id == member_id,
        Membership.space_id == space_id,
        or_(Membership.ends_on.is_(None), Membership.ends_on >= first),
        Membership.id != but if but is not None else Membership.id.is_not(None),
    )
    if last is not None:
        overlapping = overlapping.where(Membership.starts_on <= last)
    found = session.scalars(overlapping.order_by(Membership.starts_on).limit(1)).one_or_none()
    if found is not None:
        raise MembershipOverlap(**_facts(found))


def _facts(membership: Membership) -> dict[str, Any]:
    ends_on = membership.ends_on.isoformat() if membership.ends_on else None
    return {"membership_id": str(membership.uid), "starts_on": membership.starts_on.isoformat(), "ends_on": ends_on}
