"""Pausing and resuming: days on which a membership cannot be used and costs nothing.

Cycles keep their boundaries; a paused day is taken out of its cycle's fee, or given back where that has been asked for.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Invalid, WrongState
from app.events.membership_facts import MembershipPaused, MembershipResumed
from app.events.outbox import record
from app.network.memberships.charging import adjust
from app.network.memberships.contracts import Contract
from app.network.memberships.cycles import ONE_DAY
from app.network.memberships.eligibility import check_eligible
from app.network.memberships.models import MembershipPause
from app.network.memberships.terms import Stretch
from app.network.memberships.whose import whose

LONGEST_DAYS = 5 * 366


def pause(session: Session, contract: Contract, *, from_day: date, until_day: date | None, now: datetime) -> Contract:
    """Pause a locked membership from `from_day`, today or later, to `until_day`, or until it is resumed.

    Raises Invalid for days that make no pause, WrongState where one of them is paused already or beyond its end.
    """
    _check_days(contract, from_day, until_day, today=contract.today(now))
    return stand_still(session, contract, from_day=from_day, until_day=until_day, now=now)


def stand_still(
    session: Session, contract: Contract, *, from_day: date, until_day: date | None, now: datetime
) -> Contract:
    """Pause it, whatever else was planned."""
    stretch = Stretch(from_day, until_day)
    session.add(MembershipPause(membership_id=contract.membership.id, **stretch._asdict()))
    contract.membership.revision += 1
    session.flush()
    after = contract.becoming(pauses=(*contract.timeline.pauses, stretch))
    until = until_day.isoformat() if until_day else None
    fact = MembershipPaused(from_day=from_day.isoformat(), until_day=until, **whose(session, contract))
    record(session, contract.membership, fact, at=now)
    adjust(session, contract.timeline, after, now=now)
    return after


def resume(session: Session, contract: Contract, *, from_day: date, now: datetime) -> Contract:
    """Let a locked membership run again from `from_day`, today or later; a pause that has not begun is taken back.

    Raises Invalid for a day gone by, WrongState where nothing is or will be paused from then on, NotEligible.
    """
    if from_day < contract.today(now):
        raise Invalid.field("from_day", "give today or later")
    if contract.over or contract.timeline.has_ended_by(from_day):
        raise WrongState(state="ended")
    if not any(_reaches(pause, from_day) for pause in contract.timeline.pauses):
        raise WrongState(state="running")
    member_id, version = contract.membership.member_id, contract.version_on(from_day)
    check_eligible(session, version, member_id=member_id, space_id=contract.space.id, day=from_day)
    after = contract.becoming(pauses=_shortened(session, contract, from_day))
    contract.membership.revision += 1
    fact = MembershipResumed(from_day=from_day.isoformat(), **whose(session, contract))
    record(session, contract.membership, fact, at=now)
    adjust(session, contract.timeline, after, now=now)
    return after


def _reaches(pause: Stretch, day: date) -> bool:
    return pause.until_day is None or pause.until_day >= day


def _shortened(session: Session, contract: Contract, from_day: date) -> tuple[Stretch, ...]:
    """The pauses that are left, each ended on the eve of `from_day`; one that would have no day is deleted."""
    rows = select(MembershipPause).where(MembershipPause.membership_id == contract.membership.id)
    kept = []
    for row in session.scalars(rows.order_by(MembershipPause.id)):
        if _reaches(Stretch(row.from_day, row.until_day), from_day):
            row.until_day = from_day - ONE_DAY
        if row.until_day is not None and row.until_day < row.from_day:
            session.delete(row)
        else:
            kept.append(Stretch(row.from_day, row.until_day))
    session.flush()
    return tuple(kept)


def _check_days(contract: Contract, from_day: date, until_day: date | None, *, today: date) -> None:
    if from_day < max(today, contract.timeline.starts_on):
        raise Invalid.field("from_day", "give today or later, and no day before the membership starts")
    if until_day is not None and until_day < from_day:
        raise Invalid.field("until_day", "must not be before from_day")
    if (from_day - today).days > LONGEST_DAYS or (until_day and (until_day - from_day).days > LONGEST_DAYS):
        raise Invalid.field("until_day", "give at most five years, or no end")
    if contract.over or contract.timeline.has_ended_by(from_day):
        raise WrongState(state="ended")
    if any(_overlap(pause, Stretch(from_day, until_day)) for pause in contract.timeline.pauses):
        raise WrongState(state="paused", remedy="resume it first, or choose days that are not paused")


def _overlap(one: Stretch, other: Stretch) -> bool:
    return _reaches(one, other.from_day) and _reaches(other, one.from_day)
