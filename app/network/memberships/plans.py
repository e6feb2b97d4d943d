"""Plans and their dated versions. A version is never changed once it is published: whoever signed it keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.errors import CurrencyMismatch, Invalid, NotFound, Problem
from app.network.memberships.contracts import named
from app.network.memberships.cycles import longest
from app.network.memberships.models import Plan, PlanVersion
from app.network.models import Operator, Space
from app.vat.lettings import columns_of, premises_of


class NotOffered(Problem):
    """`offered` is the version of the plan that can be signed for that day, if any."""

    code: ClassVar[str] = "plan_not_offered"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "That version of the plan cannot be signed at this space for that day."


def create_plan(
    session: Session, operator: Operator, *, space: Space | None, name: str, today: date, terms: dict[str, Any]
) -> tuple[Plan, PlanVersion]:
    """A new plan of an operator, for one of its spaces or all of them, with its first version. Raises Invalid."""
    plan = Plan(operator_id=operator.id, space_id=space.id if space else None, name=name)
    session.add(plan)
    session.flush()
    return plan, publish_version(session, plan, operator, today=today, **terms)


def publish_version(
    session: Session, plan: Plan, operator: Operator, *, today: date, currency: str | None, **terms: Any
) -> PlanVersion:
    """The next version of a locked plan, from `valid_from` on. Who signed an older one keeps it until moved.

    Raises Invalid for terms that make no sense or begin in the past or before those of the version before,
    CurrencyMismatch for another currency than the operator's.
    """
    if currency not in (None, operator.currency):
        raise CurrencyMismatch(expected=operator.currency, given=currency)
    last = session.scalars(
        select(PlanVersion).where(PlanVersion.plan_id == plan.id).order_by(PlanVersion.version.desc()).limit(1)
    ).one_or_none()
    _check_terms(terms, today=today, last=last)
    if premises := premises_of(*(terms.get(name) for name in columns_of(None))):
        premises.check(_country_of(session, plan, operator))
    version = PlanVersion(plan_id=plan.id, version=last.version + 1 if last else 1, currency=operator.currency, **terms)
    session.add(version)
    session.flush()
    return version


def _country_of(session: Session, plan: Plan, operator: Operator) -> str:
    """Where its spaces are; for a plan of all of them, where the operator is."""
    return operator.country if plan.space_id is None else session.get_one(Space, plan.space_id).country


def lock_plan(session: Session, uid: UUID, *, archived_too: bool = False) -> tuple[Plan, Operator]:
    """A plan, its row locked, and whose it is. Raises NotFound, also for one that is archived, unless told."""
    locking = select(Plan).where(Plan.uid == uid).with_for_update(key_share=True)
    plan = session.scalar(locking.execution_options(populate_existing=True))
    if plan is None or (plan.archived_at is not None and not archived_too):
        raise NotFound()
    return plan, operator_of(session, plan)


def archive_plan(plan: Plan, *, now: datetime) -> bool:
    """Offer a locked plan no longer; who has signed it keeps it. Whether it was offered until now."""
    if plan.archived_at is not None:
        return False
    plan.archived_at = now
    return True


def operator_of(session: Session, plan: Plan) -> Operator:
    if plan.operator_id is None:  # of an older release, which knew a plan's space only
        plan.operator_id = session.get_one(Space, plan.space_id).operator_id
    return session.get_one(Operator, plan.operator_id)


def find_version(session: Session, uid: UUID) -> PlanVersion:
    """Raises Invalid: a version is named in a body."""
    version = session.scalar(select(PlanVersion).where(PlanVersion.uid == uid))
    if version is None:
        raise Invalid.field("plan_version_id", "there is no such version: GET /spaces/{id}/plans lists them")
    return version


def plans_at(session: Session, space: Space) -> Sequence[Plan]:
    """What can be signed at a space: its own plans, and those of its operator for all spaces."""
    of_operator = and_(Plan.space_id.is_(None), Plan.operator_id == space.operator_id)
    offered = select(Plan).where(or_(Plan.space_id == space.id, of_operator), Plan.archived_at.is_(None))
    return session.scalars(offered.order_by(Plan.name, Plan.id)).all()


def current_and_coming(session: Session, plans: Sequence[Plan], *, today: date) -> dict[int, list[PlanVersion]]:
    """Of each plan, by its id, the version of today and those published for later, in their order."""
    found: dict[int, list[PlanVersion]] = {plan.id: [] for plan in plans}
    versions = select(PlanVersion).where(PlanVersion.plan_id.in_(list(found))).order_by(PlanVersion.version)
    for version in session.scalars(versions):
        of_plan = found[version.plan_id]
        if version.valid_from <= today:
            of_plan.clear()  # superseded
        of_plan.append(named(version))
    return found


def check_offered(session: Session, version: PlanVersion, *, space: Space, day: date) -> None:
    """Raises NotOffered unless it is the version in force on `day` of a plan that the space offers."""
    plan = session.get_one(Plan, version.plan_id)
    here = plan.space_id == space.id or (plan.space_id is None and plan.operator_id == space.operator_id)
    offered = _in_force(session, plan, day) if here and plan.archived_at is None else None
    if offered is None or offered.id != version.id:
        raise NotOffered(offered=str(offered.uid) if offered else None, day=day.isoformat())


def _in_force(session: Session, plan: Plan, day: date) -> PlanVersion | None:
    begun = select(func.max(PlanVersion.version)).where(
        PlanVersion.plan_id == plan.id, PlanVersion.valid_from <= day
    ).scalar_subquery()  # fmt: skip
    return session.scalar(select(PlanVersion).where(PlanVersion.plan_id == plan.id, PlanVersion.version == begun))


def _check_terms(terms: dict[str, Any], *, today: date, last: PlanVersion | None) -> None:
    if terms["valid_from"] < today:
        raise Invalid.field("valid_from", "terms do not change backwards: give today or later")
    if last is not None and terms["valid_from"] < last.valid_from:
        raise Invalid.field("valid_from", f"the version before begins on {last.valid_from}: give that day or later")
    days = longest(terms["cycle"], terms["cycle_months"])
    if 0 < terms["price_cents"] < days:
        raise Invalid.field("price_cents", f"give 0, or at least a cent a day: {days} for this cycle")
    if terms["cycle"] != "term" and terms["cycle_months"] != 1:
        raise Invalid.field("cycle_months", "is for a cycle of kind term only")
