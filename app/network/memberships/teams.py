"""Teams: people who share a membership and its credits, each on a seat from a day to a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound, Problem
from app.network.memberships.contracts import contract_of
from app.network.memberships.models import Membership, PlanVersion, Team, TeamSeat
from app.network.memberships.whose import member_uids, seated
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
    """Give a member a seat of a locked team from a day on; who has one, or is about to leave it, keeps it.

    Raises Invalid for a day gone by, TooFewSeats where one of the team's memberships has no seat left then.
    """
    if from_day < today:
        raise Invalid.field("from_day", "give today or later")
    seat = _seat(session, team, member_id, from_day)
    if seat is not None and seat.until_day is None and seat.from_day <= from_day:
        return seat
    taken = seats_taken(session, team.id, from_day, but=member_id)
    for membership in _memberships(session, team, from_day):
        seats = contract_of(session, membership).version_on(max(from_day, membership.starts_on)).seats
        if taken + 1 > seats:
            raise TooFewSeats(seats=seats, taken=taken)
    if seat is None:
        seat = TeamSeat(team_id=team.id, member_id=member_id, from_day=from_day)
        session.add(seat)
    seat.from_day, seat.until_day = min(seat.from_day, from_day), None
    session.flush()
    return seat


def leave_seat(session: Session, team: Team, *, member_uid: UUID, today: date) -> None:
    """Give a seat of a locked team up at the end of today, or before it begins. Again succeeds.

    Raises NotFound for somebody who never had one.
    """
    seats = session.scalars(select(TeamSeat).where(TeamSeat.team_id == team.id)).all()
    members = member_uids(session, {seat.member_id for seat in seats})
    theirs = [seat for seat in seats if members[seat.member_id] == str(member_uid)]
    if not theirs:
        raise NotFound()
    for seat in theirs:
        if seat.until_day is None or seat.until_day > today:
            seat.until_day = today
    session.flush()


def seats_taken(session: Session, team_id: int, day: date, *, but: int | None = None) -> int:
    """People with a seat on `day` or to have one later: what is promised counts. `but` is a member not to count."""
    return len(seated(session, team_id, day) - {but})


def check_seats(session: Session, team_id: int | None, *, version: PlanVersion, day: date) -> None:
    """Raises TooFewSeats where the team takes more than the version has; a person alone takes one."""
    taken = seats_taken(session, team_id, day) if team_id is not None else 1
    if taken > version.seats:
        raise TooFewSeats(seats=version.seats, taken=taken)


def seats_of(session: Session, team: Team, *, day: date) -> Sequence[TeamSeat]:
    """Who sits there on `day` or will later."""
    mine = select(TeamSeat).where(TeamSeat.team_id == team.id, _lasting(day))
    return session.scalars(mine.order_by(TeamSeat.id)).all()


def _lasting(day: date) -> ColumnElement[bool]:
    """Not over by `day`. One that was left before it began has no day."""
    ends = and_(TeamSeat.until_day >= day, TeamSeat.until_day >= TeamSeat.from_day)
    return or_(TeamSeat.until_day.is_(None), ends)


def _seat(session: Session, team: Team, member_id: int, day: date) -> TeamSeat | None:
    """The member's seat of `day` or later, or one that was to begin on it."""
    mine = select(TeamSeat).where(TeamSeat.team_id == team.id, TeamSeat.member_id == member_id)
    same = TeamSeat.from_day == day
    return session.scalars(mine.where(or_(_lasting(day), same)).order_by(same.desc(), TeamSeat.id)).first()


def _memberships(session: Session, team: Team, day: date) -> Sequence[Membership]:
    going_on = or_(Membership.ends_on.is_(None), Membership.ends_on >= day)
    return session.scalars(select(Membership).where(Membership.team_id == team.id, going_on)).all()
