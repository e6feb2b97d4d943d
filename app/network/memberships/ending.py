"""Ending, and what is settled once the last day is over.

`membership.ended` is recorded when the last day is settled: when notice is given, or, where it was agreed at the start,
once it is over. Credits do not survive the last day, and nothing survives the settling: an open pause from the day
after keeps anything from being charged or drawn, and says that the deposit has been given back.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.events.membership_facts import MembershipEnded
from app.events.outbox import record
from app.network.memberships.charging import adjust, ask, deposit, schedule_next
from app.network.memberships.contracts import Contract, lock_membership
from app.network.memberships.cycles import ONE_DAY, day_begins
from app.network.memberships.lettings import agreed_ends
from app.network.memberships.models import Membership, MembershipPause
from app.network.memberships.overlaps import MembershipOverlap
from app.network.memberships.terms import Stretch
from app.network.memberships.whose import whose
from app.timekeeper import due, schedule, unschedule

OVER = "membership.over"


def earliest_end(contract: Contract, *, today: date, waived: bool = False) -> date:
    """The first last day that notice given `today` allows, by the version of today; staff may waive the notice."""
    day = max(today, contract.timeline.starts_on)
    notice = 0 if waived else contract.version_on(day).notice_days
    return max(today + timedelta(days=notice), contract.timeline.starts_on)


def end_membership(
    session: Session, contract: Contract, *, last_day: date | None, by_staff: bool, now: datetime
) -> Contract:
    """Give notice for a locked membership: its last day is `last_day`, or the earliest that the notice allows.

    Staff may waive the notice. Again, or where it ends no later anyway, nothing changes. Raises Invalid for a day
    before the notice is over.
    """
    earliest = earliest_end(contract, today=contract.today(now), waived=by_staff and last_day is not None)
    ends_on = last_day or earliest
    if contract.timeline.has_ended_by(ends_on + ONE_DAY):
        return contract
    if ends_on < earliest:
        raise Invalid.field("last_day", f"the notice to be given allows {earliest.isoformat()} or later")
    after = last_day_is(session, _without_pauses_after(session, contract, ends_on), ends_on)
    unschedule(session, OVER, contract.membership.id)
    _say_ended(session, after, "staff" if by_staff else "member", now)
    adjust(session, contract.timeline, after, now=now)
    schedule_next(session, after)
    return after


def settle(session: Session, contract: Contract, *, now: datetime) -> Contract:
    """Once its last day is over, give back the deposit and close it for good."""
    last = contract.timeline.ends_on
    if last is None or contract.over:
        return contract
    if contract.membership.exclusive:
        ask(session, contract, deposit(contract, day=last, back=True), now)
    closed = Stretch(last + ONE_DAY, None)
    session.add(MembershipPause(membership_id=contract.membership.id, **closed._asdict()))
    session.flush()
    return contract.becoming(pauses=(*contract.timeline.pauses, closed))


def schedule_over(session: Session, contract: Contract) -> None:
    """Have an end that was agreed, and that nobody gave notice of, told once it has come."""
    if contract.timeline.ends_on is None:
        unschedule(session, OVER, contract.membership.id)
        return
    at = day_begins(contract.timeline.ends_on + ONE_DAY, ZoneInfo(contract.space.timezone))
    schedule(session, OVER, contract.membership.id, at)


@due(OVER)
def tell_that_it_is_over(session: Session, membership_id: int, *, now: datetime) -> None:
    contract = lock_membership(session, Membership.id == membership_id)
    if contract.timeline.has_ended_by(contract.today(now)):
        _say_ended(session, contract, "term", now)


def last_day_is(session: Session, contract: Contract, ends_on: date | None) -> Contract:
    """Write down the last day. Raises MembershipOverlap where another has been signed, a moment ago, for days from now
    on its own."""
    try:
        with session.begin_nested():
            contract.membership.agreed_ends = agreed_ends(contract.membership, ends_on)
            contract.membership.ends_on = ends_on
            contract.membership.revision += 1
    except IntegrityError:
        raise MembershipOverlap() from None
    return contract.becoming(ends_on=ends_on)


def _without_pauses_after(session: Session, contract: Contract, last: date) -> Contract:
    """What was to stand still after the last day has nothing left to stand still."""
    rows = MembershipPause.membership_id == contract.membership.id
    session.execute(delete(MembershipPause).where(rows, MembershipPause.from_day > last))
    return contract.becoming(pauses=tuple(pause for pause in contract.timeline.pauses if pause.from_day <= last))


def _say_ended(session: Session, contract: Contract, reason: str, now: datetime) -> None:
    ends_on = contract.timeline.ends_on
    fact = MembershipEnded(ends_on=ends_on.isoformat() if ends_on else "", reason=reason, **whose(session, contract))
    record(session, contract.membership, fact, at=now)
