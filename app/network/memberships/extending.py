"""Letting a membership that has a last day go on: its cycles, and the credits in them, simply follow."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app.errors import Invalid, WrongState
from app.network.memberships.changing import say_changed
from app.network.memberships.charging import adjust, schedule_next
from app.network.memberships.contracts import Contract
from app.network.memberships.cycles import ONE_DAY
from app.network.memberships.ending import last_day_is, schedule_over
from app.network.memberships.overlaps import check_apart

LONGEST_DAYS = 10 * 366


def extend_membership(session: Session, contract: Contract, *, until: date | None, now: datetime) -> Contract:
    """Let a locked membership that has a last day go on to `until`, or until further notice; its cycles simply follow.

    Raises WrongState where it has no last day or is over, Invalid where `until` is no later, MembershipOverlap.
    """
    ends_on = contract.timeline.ends_on
    if ends_on is None or contract.over or contract.timeline.has_ended_by(contract.today(now)):
        raise WrongState(state="running" if ends_on is None else "ended")
    if until is not None and not ends_on < until <= contract.today(now) + timedelta(days=LONGEST_DAYS):
        raise Invalid.field("until", f"give a day after {ends_on.isoformat()}, at most ten years ahead")
    membership = contract.membership
    check_apart(
        session, member_id=membership.member_id, space_id=membership.space_id, first=ends_on + ONE_DAY, last=until,
        but=membership.id,
    )  # fmt: skip
    after = last_day_is(session, contract, until)
    schedule_over(session, after)
    say_changed(session, contract, after, ends_on + ONE_DAY, now)
    adjust(session, contract.timeline, after, now=now)
    schedule_next(session, after)
    return after
