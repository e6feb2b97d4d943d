"""Plans, teams and evidence over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint
from sqlalchemy import select

from app.errors import Invalid, NotFound
from app.http.operation import Call, operation
from app.http.paging import Paged, cut, page_of
from app.http.schemas import PageQuery
from app.network import audit
from app.network.memberships import plans, teams
from app.network.memberships.changing import move_members
from app.network.memberships.cycles import local_day
from app.network.memberships.eligibility import record_evidence
from app.network.memberships.models import Eligibility, Plan, PlanVersion, Team
from app.network.memberships.offers import schemas
from app.network.memberships.whose import member_named, member_uids, visible_payer
from app.network.models import Operator, Space
from app.network.roles import FRONT_DESK, MANAGE

blueprint = Blueprint("plans", __name__)


@operation(
    blueprint, "GET", "/spaces/<space_id>/plans", returns=schemas.PlanShape, many=True, signed_in=False, problems=(404,)
)
def list_plans(call: Call, space_id: UUID) -> list[dict[str, Any]]:
    """What can be signed at a space, and what it will cost from later days on."""
    space = _space(call, space_id)
    offered = plans.plans_at(call.session, space)
    versions = plans.current_and_coming(call.session, offered, today=_today(call, space))
    return [_plan(call, plan, versions[plan.id]) for plan in offered if versions[plan.id]]


@operation(
    blueprint, "POST", "/operators/<operator_id>/plans", body=schemas.NewPlan, returns=schemas.PlanShape, status=201,
    problems=(403, 404),
)  # fmt: skip
def create_plan(call: Call, operator_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """A new plan, for managers of the space it is for, or for who keeps the operator's books."""
    operator = call.session.scalar(select(Operator).where(Operator.uid == operator_id))
    if operator is None:
        raise NotFound()
    space = _space_of(call, operator, body.pop("space_id"))
    _require_pricing(call, operator, space)
    named, terms = body.pop("name"), schemas.kept_terms(body)
    plan, version = plans.create_plan(
        call.session, operator, space=space, name=named, today=_operators_day(call, operator), terms=terms
    )
    return _plan(call, plan, [version])


@operation(
    blueprint, "POST", "/plans/<plan_id>/versions", body=schemas.PlanTerms, returns=schemas.PlanVersionShape,
    status=201, problems=(403, 404),
)  # fmt: skip
def publish_plan_version(call: Call, plan_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """New terms from a day on. Who signed older ones keeps them until moved."""
    plan, operator = plans.lock_plan(call.session, plan_id)
    _require_pricing(call, operator, _own_space(call, plan))
    today = _operators_day(call, operator)
    return schemas.describe_version(
        plans.publish_version(call.session, plan, operator, today=today, **schemas.kept_terms(body))
    )


@operation(blueprint, "POST", "/plans/<plan_id>/archive", status=204, problems=(403, 404))
def archive_plan(call: Call, plan_id: UUID) -> None:
    """Offer a plan no longer. Who has signed it keeps it until it ends or they are moved. Repeating it succeeds."""
    plan, operator = plans.lock_plan(call.session, plan_id, archived_too=True)
    space = _own_space(call, plan)
    _require_pricing(call, operator, space)
    if plans.archive_plan(plan, now=call.now) and space is not None:
        audit.note(call.session, call.person, "plan.archived", space.id, str(plan.uid), call.now)


@operation(
    blueprint, "POST", "/plan-versions/<version_id>/moves", body=schemas.PlanMove, returns=schemas.MovedShape,
    problems=(403, 404), idempotent=True,
)  # fmt: skip
def move_plan_members(call: Call, version_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Move everybody on an older version of the plan to this one. Too soon for the notice that one of them signed:
    422 `notice_too_short` with the earliest day, and nobody is moved."""
    version = call.session.scalar(select(PlanVersion).where(PlanVersion.uid == version_id))
    if version is None:
        raise NotFound()
    plan = call.session.get_one(Plan, version.plan_id)
    _require_pricing(call, plans.operator_of(call.session, plan), _own_space(call, plan))
    if body["from_day"] < version.valid_from:
        raise Invalid.field("from_day", f"the version holds from {version.valid_from}: give that day or later")
    moved = move_members(call.session, version=version, from_day=body["from_day"], now=call.now)
    for membership in moved:
        audit.note(call.session, call.person, "membership.moved", membership.space_id, str(membership.uid), call.now)
    return {"memberships": [str(membership.uid) for membership in moved]}


@operation(blueprint, "POST", "/teams", body=schemas.NewTeam, returns=schemas.TeamShape, status=201, problems=(404,))
def create_team(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """A team that I answer for, to share memberships at the spaces of an operator."""
    operator = call.session.scalar(select(Operator).where(Operator.uid == body["operator_id"]))
    if operator is None:
        raise Invalid.field("operator_id", "there is no such operator")
    party_id = visible_payer(call.session, body["payer_id"]) if body["payer_id"] else None
    team = teams.create_team(
        call.session, operator, member_id=call.person.member_id, name=body["name"], party_id=party_id, now=call.now
    )
    return _team(call, team)


@operation(blueprint, "GET", "/teams", query=PageQuery, returns=schemas.TeamShape, many=True, paged=True)
def list_teams(call: Call, query: dict[str, Any]) -> Paged:
    """Teams that I answer for, sit in, or keep the books of, newest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    found = select(Team).order_by(Team.id.desc()).limit(page.limit + 1)
    if page.after:
        found = found.where(Team.id < page.after[0])
    shown, last = cut(call.session.scalars(found).all(), page, lambda team: [team.id])
    return Paged([_team(call, team) for team in shown], last)


@operation(blueprint, "GET", "/teams/<team_id>", returns=schemas.TeamShape)
def show_team(call: Call, team_id: UUID) -> dict[str, Any]:
    """Who has a seat now or later."""
    return _team(call, teams.find_team(call.session, team_id))


@operation(
    blueprint, "POST", "/teams/<team_id>/seats", body=schemas.NewSeat, returns=schemas.TeamShape, status=201,
    problems=(403,),
)  # fmt: skip
def take_seat(call: Call, team_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Give somebody a seat; who has one keeps it. More than the team's plan has: 422 `too_few_seats`."""
    team = _team_to_change(call, team_id)
    member_id, today = member_named(call.session, body["member_id"]), _teams_day(call, team)
    teams.take_seat(call.session, team, member_id=member_id, from_day=body["from_day"] or today, today=today)
    return _team(call, team)


@operation(blueprint, "DELETE", "/teams/<team_id>/seats/<member_id>", status=204, problems=(403,))
def leave_seat(call: Call, team_id: UUID, member_id: UUID) -> None:
    """Give a seat up at the end of today: one's own, or any where one answers for the team. Again succeeds."""
    own = member_id == call.person.uid
    team = teams.find_team(call.session, team_id, lock=True) if own else _team_to_change(call, team_id)
    teams.leave_seat(call.session, team, member_uid=member_id, today=_teams_day(call, team))


@operation(
    blueprint, "POST", "/spaces/<space_id>/eligibilities", body=schemas.NewEvidence, returns=schemas.EvidenceShape,
    status=201, problems=(403,),
)  # fmt: skip
def record_eligibility(call: Call, space_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """The desk: write down that evidence of a status was seen, and until when it holds."""
    space = _space(call, space_id)
    call.person.require(FRONT_DESK, space.id)
    member_uid = body.pop("member_id")
    member_id = member_named(call.session, member_uid)
    seen = record_evidence(call.session, member_id=member_id, space_id=space.id, **body)
    audit.note(call.session, call.person, "eligibility.recorded", space.id, str(seen.uid), call.now)
    return schemas.describe_evidence(seen, space_uid=space.uid, member_uid=member_uid)


@operation(blueprint, "GET", "/eligibilities", query=PageQuery, returns=schemas.EvidenceShape, many=True, paged=True)
def list_eligibilities(call: Call, query: dict[str, Any]) -> Paged:
    """What was recorded of me, or at my spaces, newest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    found = select(Eligibility, Space.uid).join(Space, Space.id == Eligibility.space_id)
    found = found.order_by(Eligibility.id.desc()).limit(page.limit + 1)
    if page.after:
        found = found.where(Eligibility.id < page.after[0])
    shown, last = cut(call.session.execute(found).all(), page, lambda row: [row[0].id])
    members = member_uids(call.session, [seen.member_id for seen, _ in shown])
    described = [
        schemas.describe_evidence(seen, space_uid=space_uid, member_uid=members[seen.member_id])
        for seen, space_uid in shown
    ]
    return Paged(described, last)


def _space(call: Call, uid: UUID) -> Space:
    space = call.session.scalar(select(Space).where(Space.uid == uid))
    if space is None:
        raise NotFound()
    return space


def _space_of(call: Call, operator: Operator, uid: UUID | None) -> Space | None:
    if uid is None:
        return None
    space = call.session.scalar(select(Space).where(Space.uid == uid, Space.operator_id == operator.id))
    if space is None:
        raise NotFound()
    return space


def _own_space(call: Call, plan: Plan) -> Space | None:
    return call.session.get_one(Space, plan.space_id) if plan.space_id is not None else None


def _require_pricing(call: Call, operator: Operator, space: Space | None) -> None:
    """Managers price what is for their space; who keeps the operator's books, everything."""
    if space is None or operator.id in call.person.scope.books_ids:
        call.person.require_books(operator.id)
    else:
        call.person.require(MANAGE, space.id)


def _today(call: Call, space: Space) -> date:
    return local_day(call.now, ZoneInfo(space.timezone))


def _operators_day(call: Call, operator: Operator) -> date:
    """The day it still is at one of the operator's spaces; where it has none, in UTC."""
    zones = call.session.scalars(select(Space.timezone).where(Space.operator_id == operator.id)).all()
    return min((local_day(call.now, ZoneInfo(zone)) for zone in zones), default=call.now.date())


def _teams_day(call: Call, team: Team) -> date:
    return _operators_day(call, call.session.get_one(Operator, team.operator_id))


def _team_to_change(call: Call, uid: UUID) -> Team:
    """Locked, for who answers for it or keeps the operator's books. Raises NotFound, NotAllowed."""
    team = teams.find_team(call.session, uid, lock=True)
    if team.member_id != call.person.member_id:
        call.person.require_books(team.operator_id)
    return team


def _plan(call: Call, plan: Plan, versions: list[PlanVersion]) -> dict[str, Any]:
    space = _own_space(call, plan)
    return schemas.describe_plan(plan, versions, space_uid=space.uid if space else None)


def _team(call: Call, team: Team) -> dict[str, Any]:
    seats = teams.seats_of(call.session, team, day=_teams_day(call, team))
    members = member_uids(call.session, [seat.member_id for seat in seats])
    operator = call.session.get_one(Operator, team.operator_id)
    return schemas.describe_team(team, operator.uid, [(seat, members[seat.member_id]) for seat in seats])
