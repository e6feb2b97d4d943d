"""Teams: people who share a membership and its credits, each on a seat from a day to a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound, Problem
from app.network.memberships.contracts import contract_of
from app.network.memberships.models import Membership, PlanVersion, Team, TeamSeat
from app.network.models import Operator


class TooFewSeats(Problem):
    """`seats` are what the plan has, `taken` those that the team takes on that day."""

    code: ClassVar[str] = "too_few_seats"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "The plan has not enough seats for the team."


def create_team(
    session: Session, operator: Operator, *, member_id: int, name: str, party_id: int | None, now: datetime
) -> Team:
    """A team that `member_id` answers for."""
    team = Team(operator_id=operator.id, member_id=member_id, name=name, party_id=party_id, created_at=now)
    session.add(team)
    session.flush()
    return team


def find_team(session: Session, uid: UUID, *, lock: bool = False) -> Team:
    """Raises NotFound."""
    wanted = select(Team).where(Team.uid == uid)
    team = session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)
    if team is None:
        raise NotFound()
    return team


def take_seat(session: Session, team: Team, *, member_id: int, from_day: date, today: date) -> TeamSeat:
    """Give a member a seat of a locked team from a day on; who has one already keeps it.

    Raises Invalid for a day gone by, TooFewSeats where one of its memberships has no seat left then.
    """
    if from_day < today:
        raise Invalid.field("from_day", "give today or later")
    if held := _seat(session, team, member_id, from_day):
        return held
    for membership in _memberships(session, team, from_day):
        contract = contract_of(session, membership)
        taken = seats_taken(session, team.id, from_day)
        if taken + 1 > contract.version_on(from_day).seats:
            raise TooFewSeats(seats=contract.version_on(from_day).seats, taken=taken)
    seat = TeamSeat(team_id=team.id, member_id=member_id, from_day=from_day)
    session.add(seat)
    session.flush()
    return seat


def leave_seat(session: Session, team: Team, *, member_id: int, today: date) -> None:
    """Give a seat of a locked team up from tomorrow on; one that was to begin later is deleted. Again succeeds."""
    mine = select(TeamSeat).where(TeamSeat.team_id == team.id, TeamSeat.member_id == member_id)
    for seat in session.scalars(mine.where(or_(TeamSeat.until_day.is_(None), TeamSeat.until_day > today))):
        if seat.from_day > today:
            session.delete(seat)
        else:
            seat.until_day = today
    session.flush()


def seats_taken(session: Session, team_id: int, day: date) -> int:
    """Seats held on `day` or to be taken later: what is promised counts."""
    lasting = or_(TeamSeat.until_day.is_(None), TeamSeat.until_day >= day)
    counted = select(func.count(func.distinct(TeamSeat.member_id))).where(TeamSeat.team_id == team_id, lasting)
    return session.scalar(counted) or 0


def check_seats(session: Session, team_id: int | None, *, version: PlanVersion, day: date) -> None:
    """Raises TooFewSeats where the team takes more than the version has; a person alone takes one."""
    taken = seats_taken(session, team_id, day) if team_id is not None else 1
    if taken > version.seats:
        raise TooFewSeats(seats=version.seats, taken=taken)


def seats_of(session: Session, team: Team, *, day: date) -> Sequence[TeamSeat]:
    """Who sits there on `day` or will later."""
    lasting = or_(TeamSeat.until_day.is_(None), TeamSeat.until_day >= day)
    return session.scalars(select(TeamSeat).where(TeamSeat.team_id == team.id, lasting).order_by(TeamSeat.id)).all()


def _seat(session: Session, team: Team, member_id: int, day: date) -> TeamSeat | None:
    lasting = or_(TeamSeat.until_day.is_(None), TeamSeat.until_day >= day)
    held = select(TeamSeat).where(TeamSeat.team_id == team.id, TeamSeat.member_id == member_id, lasting)
    return session.scalars(held.order_by(TeamSeat.id).limit(1)).one_or_none()


def _memberships(session: Session, team: Team, day: date) -> Sequence[Membership]:
    going_on = or_(Membership.ends_on.is_(None), Membership.ends_on >= day)
    return session.scalars(select(Membership).where(Membership.team_id == team.id, going_on)).all()
