"""Signing: a member begins a membership at a space, on the version of a plan in force on its first day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.events.membership_facts import MembershipStarted
from app.events.outbox import record
from app.network.memberships.advancing import advance
from app.network.memberships.charging import ask, deposit
from app.network.memberships.contracts import Contract, lock_membership
from app.network.memberships.cycles import ONE_DAY
from app.network.memberships.eligibility import check_eligible
from app.network.memberships.ending import schedule_over
from app.network.memberships.models import Membership, PlanVersion, Team
from app.network.memberships.overlaps import MembershipOverlap, check_apart
from app.network.memberships.plans import check_offered
from app.network.memberships.teams import check_seats
from app.network.memberships.whose import team_uid, whose
from app.network.models import Space

EARLIEST = timedelta(days=31)  # before today, by staff: somebody who came before the papers were done
LATEST = timedelta(days=366)
LONGEST = timedelta(days=10 * 366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who signs what, from when. Both days count. `party_id` is who pays; None is the team's payer, or the member."""

    member_id: int
    space: Space
    version: PlanVersion
    starts_on: date
    ends_on: date | None = None
    team: Team | None = None
    party_id: int | None = None


def start_membership(session: Session, signing: Signing, *, today: date, by_staff: bool, now: datetime) -> Contract:
    """Begin a membership; the deposit and what has begun of its first cycles are asked for at once.

    Raises Invalid for its days, NotOffered, NotEligible, TooFewSeats, MembershipOverlap.
    """
    _check_days(signing, today=today, by_staff=by_staff)
    _check_terms(session, signing)
    contract = lock_membership(session, Membership.id == _insert(session, signing))
    record(session, contract.membership, _started(session, contract), at=now)
    ask(session, contract, deposit(contract, day=signing.starts_on), now)
    schedule_over(session, contract)
    return advance(session, contract, now=now)


def _check_days(signing: Signing, *, today: date, by_staff: bool) -> None:
    earliest = today - EARLIEST if by_staff else today
    if not earliest <= signing.starts_on <= today + LATEST:
        raise Invalid.field("starts_on", f"give a day from {earliest} to {today + LATEST}")
    if signing.ends_on is not None and not signing.starts_on <= signing.ends_on <= signing.starts_on + LONGEST:
        raise Invalid.field("ends_on", "give a day from starts_on on, at most ten years later; or none")


def _check_terms(session: Session, signing: Signing) -> None:
    check_offered(session, signing.version, space=signing.space, day=signing.starts_on)
    place = {"member_id": signing.member_id, "space_id": signing.space.id}
    check_eligible(session, signing.version, day=signing.starts_on, **place)
    check_seats(session, signing.team.id if signing.team else None, version=signing.version, day=signing.starts_on)
    check_apart(session, first=signing.starts_on, last=signing.ends_on, **place)


def _insert(session: Session, signing: Signing) -> int:
    """The constraint is the judge of what `check_apart` cannot see: one signed at this instant."""
    team = signing.team
    row = insert(Membership).values(
        member_id=signing.member_id,
        space_id=signing.space.id,
        plan_version_id=signing.version.id,
        starts_on=signing.starts_on,
        ends_on=signing.ends_on,
        team_id=team.id if team else None,
        party_id=signing.party_id or (team.party_id if team else None),
        charged_until=signing.starts_on - ONE_DAY,
        exclusive=True,
    )
    made: int | None = session.scalar(row.on_conflict_do_nothing().returning(Membership.id))
    if made is None:
        raise MembershipOverlap()
    return made


def _started(session: Session, contract: Contract) -> MembershipStarted:
    membership = contract.membership
    return MembershipStarted(
        plan_version_id=str(contract.versions[contract.timeline.first].uid),
        starts_on=membership.starts_on.isoformat(),
        ends_on=membership.ends_on.isoformat() if membership.ends_on else None,
        team_id=team_uid(session, membership),
        **whose(session, contract),
    )
