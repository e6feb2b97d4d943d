"""The timekeeper's part: each cycle opened at its local midnight, what is over settled, the next visit planned."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from app.network.memberships.charging import NEXT, charge_cycle, first_uncharged, schedule_next
from app.network.memberships.contracts import Contract, lock_membership
from app.network.memberships.eligibility import is_eligible
from app.network.memberships.ending import settle
from app.network.memberships.models import Membership
from app.network.memberships.pausing import stand_still
from app.timekeeper import due


@due(NEXT)
def advance_membership(session: Session, membership_id: int, *, now: datetime) -> None:
    advance(session, lock_membership(session, Membership.id == membership_id), now=now)


def advance(session: Session, contract: Contract, *, now: datetime) -> Contract:
    """Bring a locked membership to `now`: ask for every cycle begun by today that was not asked for, one by one;
    settle it where its last day is over; plan the next visit."""
    today = contract.today(now)
    while (first := _first_due(contract, today)) is not None:
        contract = _kept_to_evidence(session, contract, first, now)
        charge_cycle(session, contract, first=first, last=contract.last_of_cycle(first), now=now)
    if contract.timeline.has_ended_by(today):
        contract = settle(session, contract, now=now)
    schedule_next(session, contract)
    return contract


def _first_due(contract: Contract, today: date) -> date | None:
    """The first day that is to be asked for by the end of today, if any."""
    first = first_uncharged(contract)
    if first is None or first > today or contract.over or contract.timeline.has_ended_by(first):
        return None
    return first


def _kept_to_evidence(session: Session, contract: Contract, first: date, now: datetime) -> Contract:
    """Paused from `first` on where no evidence covers it; see eligibility.py."""
    member_id, version = contract.membership.member_id, contract.version_on(first)
    if not contract.timeline.runs_on(first) or is_eligible(
        session, version, member_id=member_id, space_id=contract.space.id, day=first
    ):
        return contract
    return stand_still(session, contract, from_day=first, until_day=None, now=now)
