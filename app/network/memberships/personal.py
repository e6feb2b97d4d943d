"""What memberships know about a person: told to them on request, and forgotten with their account.

A membership and what was asked for it stay, because the space's books need them; evidence of a status goes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.network import privacy
from app.network.memberships.models import Eligibility, Membership, Team, TeamSeat


@privacy.erasure_obstacles
def memberships_charged(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    """Memberships that go on being charged: to be ended first, with their notice."""
    going_on = or_(Membership.ends_on.is_(None), Membership.ends_on >= now.date())
    mine = select(Membership.uid).where(Membership.member_id == member_id, Membership.charged_until.is_not(None))
    return [{"kind": "membership", "id": str(uid)} for uid in session.scalars(mine.where(going_on).limit(20))]


@privacy.eraser
def forget(session: Session, member_id: int, *, now: datetime) -> None:
    """Give up their seats and forget what was seen of them."""
    lasting = or_(TeamSeat.until_day.is_(None), TeamSeat.until_day > now.date())
    left = update(TeamSeat).where(TeamSeat.member_id == member_id, lasting).values(until_day=now.date())
    gone = delete(Eligibility).where(Eligibility.member_id == member_id)
    for statement in (left, gone):
        session.execute(statement.execution_options(synchronize_session=False))


@privacy.exporter("seats")
def exported_seats(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    rows = session.execute(
        select(TeamSeat, Team.name)
        .join(Team, Team.id == TeamSeat.team_id)
        .where(TeamSeat.member_id == member_id)
        .order_by(TeamSeat.id)
    )
    return [
        {
            "team": team,
            "from_day": seat.from_day.isoformat(),
            "until_day": seat.until_day.isoformat() if seat.until_day else None,
        }
        for seat, team in rows
    ]


@privacy.exporter("eligibilities")
def exported_evidence(session: Session, member_id: int, *, now: datetime) -> list[dict[str, Any]]:
    seen = select(Eligibility).where(Eligibility.member_id == member_id).order_by(Eligibility.id)
    return [
        {
            "status": row.status,
            "evidence": row.evidence,
            "valid_from": row.valid_from.isoformat(),
            "expires_on": row.expires_on.isoformat(),
        }
        for row in session.scalars(seen)
    ]
