"""Moving a membership to another version, of its own plan or of another: now, or at the end of the cycle.

The price of days already asked for is adjusted by day, at both versions' own cycles. Of two changes of one day the
last holds, and a change takes the place of all that were planned for later days.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import ClassVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import Invalid, Problem, WrongState
from app.events.membership_facts import MembershipChanged
from app.events.outbox import record
from app.network.memberships.advancing import advance
from app.network.memberships.charging import adjust
from app.network.memberships.contracts import Contract, lock_membership
from app.network.memberships.cycles import ONE_DAY
from app.network.memberships.eligibility import check_eligible
from app.network.memberships.models import Membership, MembershipTerm, PlanVersion
from app.network.memberships.plans import check_offered
from app.network.memberships.teams import check_seats
from app.network.memberships.terms import Step
from app.network.memberships.whose import whose

NOW, CYCLE_END = "now", "cycle_end"


class NoticeTooShort(Problem):
    """`earliest` is the first day on which the notice that was signed allows the move."""

    code: ClassVar[str] = "notice_too_short"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "People keep what they signed until the notice that they signed is over."


def change_plan(session: Session, contract: Contract, *, version: PlanVersion, when: str, now: datetime) -> Contract:
    """Have a locked membership follow `version` from today (`now`) or from its next cycle on (`cycle_end`).

    Raises NotOffered, NotEligible, TooFewSeats, WrongState after its end, Invalid where it follows that one already.
    """
    from_day = first_day_of_change(contract, when, today=contract.today(now))
    _check_alive(contract, from_day)
    check_offered(session, version, space=contract.space, day=from_day)
    member_id = contract.membership.member_id
    check_eligible(session, version, member_id=member_id, space_id=contract.space.id, day=from_day)
    check_seats(session, contract.membership.team_id, version=version, day=from_day)
    if _follows(contract, version, from_day):
        raise Invalid.field("plan_version_id", "it follows this version already: choose another")
    return move(session, contract, version=version, from_day=from_day, now=now)


def first_day_of_change(contract: Contract, when: str, *, today: date) -> date:
    day = max(today, contract.timeline.starts_on)
    return day if when == NOW else contract.last_of_cycle(day) + ONE_DAY


def move(session: Session, contract: Contract, *, version: PlanVersion, from_day: date, now: datetime) -> Contract:
    """Have a locked membership follow `version` from `from_day` on, instead of all that was planned for later."""
    later = {step.from_day for step in contract.timeline.terms if step.from_day > from_day}
    steps = [Step(day, version.id) for day in (from_day, *sorted(later))]
    for step in steps:
        term = MembershipTerm(membership_id=contract.membership.id, plan_version_id=version.id, from_day=step.from_day)
        session.add(term)
        session.flush()  # one by one: of two of a day, the row with the larger id holds
    after = contract.with_version(version).becoming(terms=(*contract.timeline.terms, *steps))
    membership = contract.membership
    membership.revision += 1
    if membership.charged_until is None:  # made before fees were asked for here: from now on, and not for the past
        membership.charged_until = from_day - ONE_DAY
    say_changed(session, contract, after, from_day, now)
    adjust(session, contract.timeline, after, now=now)
    return advance(session, after, now=now)


def move_members(session: Session, *, version: PlanVersion, from_day: date, now: datetime) -> list[Membership]:
    """Move everybody who then follows an older version of the plan to `version`, with the notice each of them signed.

    Raises NoticeTooShort, and moves nobody, where `from_day` is too soon for one of them.
    """
    contracts = [lock_membership(session, Membership.id == id) for id in _on_plan(session, version, from_day)]
    moving = [contract for contract in contracts if _is_older(contract, version, from_day)]
    earliest = [_earliest_move(contract, now) for contract in moving]
    if earliest and max(earliest) > from_day:
        raise NoticeTooShort(earliest=max(earliest).isoformat())
    for contract in moving:
        move(session, contract, version=version, from_day=max(from_day, contract.timeline.starts_on), now=now)
    return [contract.membership for contract in moving]


def _earliest_move(contract: Contract, now: datetime) -> date:
    today = contract.today(now)
    return today + timedelta(days=contract.version_on(max(today, contract.timeline.starts_on)).notice_days)


def _on_plan(session: Session, version: PlanVersion, from_day: date) -> list[int]:
    """Memberships that ever followed the plan and are not over by `from_day`, in the order of their locks."""
    versions = select(PlanVersion.id).where(PlanVersion.plan_id == version.plan_id)
    changed = select(MembershipTerm.membership_id).where(MembershipTerm.plan_version_id.in_(versions))
    following = select(Membership.id).where(
        or_(Membership.plan_version_id.in_(versions), Membership.id.in_(changed)),
        or_(Membership.ends_on.is_(None), Membership.ends_on >= from_day),
    )
    return list(session.scalars(following.order_by(Membership.id)))


def _is_older(contract: Contract, version: PlanVersion, from_day: date) -> bool:
    held = contract.version_on(max(from_day, contract.timeline.starts_on))
    return held.plan_id == version.plan_id and held.version < version.version


def _follows(contract: Contract, version: PlanVersion, from_day: date) -> bool:
    """Whether the change would change nothing: not even put fees, or what is planned, in order."""
    planned = any(step.from_day > from_day and step.plan_version_id != version.id for step in contract.timeline.terms)
    charged = contract.membership.charged_until is not None
    return charged and not planned and contract.timeline.version_on(from_day) == version.id


def _check_alive(contract: Contract, day: date) -> None:
    if contract.over or contract.timeline.has_ended_by(day):
        raise WrongState(state="ended")


def say_changed(session: Session, before: Contract, after: Contract, from_day: date, now: datetime) -> None:
    """Record what holds from `from_day` on, the version and the last day, and the version that held before."""
    ends_on = after.timeline.ends_on
    fact = MembershipChanged(
        plan_version_id=str(after.version_on(from_day).uid),
        previous_plan_version_id=str(before.version_on(from_day).uid),
        from_day=from_day.isoformat(),
        ends_on=ends_on.isoformat() if ends_on else None,
        **whose(session, after),
    )
    record(session, after.membership, fact, at=now)
