"""Reading a membership with all that decides about it, under its lock when it is to be changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.ids import new_id
from app.network.memberships.cycles import ONE_DAY, local_day
from app.network.memberships.models import Membership, MembershipPause, MembershipTerm, Plan, PlanVersion
from app.network.memberships.owed import Tariff, last_of_cycle
from app.network.memberships.terms import Step, Stretch, Timeline
from app.network.models import Operator, Space


@dataclass(frozen=True, slots=True)
class Contract:
    """A membership, where and with whom it is, its timeline, and every version of a plan that the timeline names."""

    membership: Membership
    space: Space
    operator: Operator
    versions: dict[int, PlanVersion]
    timeline: Timeline

    @property
    def tariffs(self) -> dict[int, Tariff]:
        return {id: tariff_of(version) for id, version in self.versions.items()}

    @property
    def over(self) -> bool:
        """Settled for good: an open pause from the day after its last says so (ending.settle)."""
        last = self.timeline.ends_on
        return last is not None and Stretch(last + ONE_DAY, None) in self.timeline.pauses

    def today(self, now: datetime) -> date:
        return local_day(now, ZoneInfo(self.space.timezone))

    def version_on(self, day: date) -> PlanVersion:
        return self.versions[self.timeline.version_on(day)]

    def last_of_cycle(self, day: date) -> date:
        return last_of_cycle(self.timeline, self.tariffs, day)

    def with_version(self, version: PlanVersion) -> Contract:
        """So that the timeline may name it."""
        return replace(self, versions={**self.versions, version.id: named(version)})

    def becoming(self, **changes: Any) -> Contract:
        """The same with another timeline."""
        return replace(self, timeline=replace(self.timeline, **changes))


def tariff_of(version: PlanVersion) -> Tariff:
    return Tariff(version.id, version.price_cents, version.cycle, version.cycle_months, version.anchor)


def named(version: PlanVersion) -> PlanVersion:
    """A version written by an older release while this one was put in place may lack its public id."""
    version.uid = version.uid or new_id()
    return version


def find_membership(session: Session, uid: UUID) -> Membership:
    """Raises NotFound where it is not this session's to see."""
    return _found(session.scalar(select(Membership).where(Membership.uid == uid)))


def lock_membership(session: Session, *which: Any) -> Contract:
    """The contract, its row locked until the end of the transaction: changes of one membership come one by one.

    `which` are criteria, e.g. `Membership.uid == uid`. Raises NotFound.
    """
    locking = select(Membership).where(*which).with_for_update(key_share=True)
    return contract_of(session, _found(session.scalar(locking.execution_options(populate_existing=True))))


def contract_of(session: Session, membership: Membership) -> Contract:
    space = session.get_one(Space, membership.space_id)
    operator = session.get_one(Operator, space.operator_id)
    terms = [Step(row.from_day, row.plan_version_id, row.id) for row in _rows(session, MembershipTerm, membership)]
    pauses = [Stretch(row.from_day, row.until_day) for row in _rows(session, MembershipPause, membership)]
    versions = versions_by_id(session, {membership.plan_version_id, *(term.plan_version_id for term in terms)})
    first = versions[membership.plan_version_id]
    timeline = Timeline(
        starts_on=membership.starts_on,
        ends_on=membership.ends_on,
        first=first.id,
        terms=tuple(terms),
        pauses=tuple(pauses),
        free_until=_free_until(session, membership, first),
    )
    return Contract(membership, space, operator, versions, timeline)


def versions_by_id(session: Session, ids: Iterable[int]) -> dict[int, PlanVersion]:
    found = session.scalars(select(PlanVersion).where(PlanVersion.id.in_(list(ids))))
    return {version.id: named(version) for version in found}


def plan_of(session: Session, version: PlanVersion) -> Plan:
    return session.get_one(Plan, version.plan_id)


def _found(membership: Membership | None) -> Membership:
    if membership is None:
        raise NotFound()
    return membership


def _rows(session: Session, entity: Any, membership: Membership) -> list[Any]:
    mine = select(entity).where(entity.membership_id == membership.id).order_by(entity.id)
    return list(session.scalars(mine.execution_options(populate_existing=True)))


def _free_until(session: Session, membership: Membership, first: PlanVersion) -> date | None:
    """The last day of its trial. A member tries each plan of a space once."""
    if not first.trial_days:
        return None
    earlier, version = aliased(Membership), aliased(PlanVersion)
    tried = exists().where(
        earlier.member_id == membership.member_id,
        earlier.space_id == membership.space_id,
        earlier.id < membership.id,
        version.id == earlier.plan_version_id,
        version.plan_id == first.plan_id,
    )
    if session.scalar(select(Membership.id).where(Membership.id == membership.id, tried)) is not None:
        return None
    return membership.starts_on + (first.trial_days - 1) * ONE_DAY
