"""Plans for some people only: what a version asks for, and the evidence that staff have seen.

Asked on the first day of a membership, of a change to such a version, of a resumption, and of every cycle. At a cycle
whose first day no evidence covers, the membership is paused until further notice: nothing is charged at a price that
is not theirs, nothing dearer is charged that they never signed, and nobody loses the plan over a card that is a week
late. Once new evidence is recorded, it is resumed like any other pause.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Invalid, Problem
from app.network.memberships.models import Eligibility, PlanVersion

LONGEST_DAYS = 5 * 366


class NotEligible(Problem):
    """`statuses` are those of which one must have been shown, `on` the day it must hold."""

    code: ClassVar[str] = "not_eligible"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "This plan is for people with a status of which the space has seen no evidence."


def record_evidence(
    session: Session, *, member_id: int, space_id: int, status: str, evidence: str, valid_from: date, expires_on: date
) -> Eligibility:
    """Write down that staff have seen evidence of a status, with both days counted. Raises Invalid."""
    if expires_on < valid_from:
        raise Invalid.field("expires_on", "must not be before valid_from")
    if (expires_on - valid_from).days > LONGEST_DAYS:
        raise Invalid.field("expires_on", "give at most five years: the evidence is to be seen again")
    seen = Eligibility(
        member_id=member_id,
        space_id=space_id,
        status=status,
        evidence=evidence,
        valid_from=valid_from,
        expires_on=expires_on,
    )
    session.add(seen)
    session.flush()
    return seen


def is_eligible(session: Session, version: PlanVersion, *, member_id: int, space_id: int, day: date) -> bool:
    """Whether the version is for everybody, or evidence of one of its statuses covers the day at that space."""
    if not version.eligibility:
        return True
    covering = select(Eligibility.id).where(
        Eligibility.member_id == member_id,
        Eligibility.space_id == space_id,
        Eligibility.status.in_(version.eligibility),
        Eligibility.valid_from <= day,
        Eligibility.expires_on >= day,
    )
    return session.scalar(covering.limit(1)) is not None


def check_eligible(session: Session, version: PlanVersion, *, member_id: int, space_id: int, day: date) -> None:
    """Raises NotEligible."""
    if not is_eligible(session, version, member_id=member_id, space_id=space_id, day=day):
        raise NotEligible(statuses=list(version.eligibility), on=day.isoformat())
