"""Memberships over HTTP: signing, changing, pausing, extending, ending, and what each would ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint
from sqlalchemy import select

from app.errors import Invalid
from app.http.operation import Call, Reply, operation
from app.http.paging import Paged, cut, page_of
from app.network import audit
from app.network.memberships import personal as personal  # registers what erasure and export need of memberships
from app.network.memberships import schemas
from app.network.memberships.changing import change_plan
from app.network.memberships.contracts import Contract, contract_of, find_membership, lock_membership
from app.network.memberships.cycles import local_day
from app.network.memberships.ending import earliest_end, end_membership
from app.network.memberships.extending import extend_membership
from app.network.memberships.listing import describe, membership_etag
from app.network.memberships.models import Membership, Team
from app.network.memberships.pausing import pause, resume
from app.network.memberships.plans import find_version
from app.network.memberships.previewing import preview
from app.network.memberships.starting import Signing, start_membership
from app.network.memberships.whose import member_named, visible_payer
from app.network.models import Space
from app.network.roles import FRONT_DESK, MANAGE

blueprint = Blueprint("memberships", __name__)


@operation(
    blueprint, "POST", "/memberships", body=schemas.NewMembership, returns=schemas.MembershipDetail, status=201,
    problems=(403, 404, 409), idempotent=True, etag=True, located=True,
)  # fmt: skip
def start(call: Call, body: dict[str, Any]) -> Reply:
    """Sign a plan; its deposit and what has begun of its first cycle are asked for at once. Another membership at the
    space on one of its days: 409 `membership_overlap`."""
    contract = _start(call, *_signing(call, body))
    return _shown(call, contract, did="started", status=201)


@operation(
    blueprint, "POST", "/memberships/preview", body=schemas.NewMembership, returns=schemas.PreviewShape,
    problems=(403, 404, 409), reads=True,
)  # fmt: skip
def preview_start(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """What signing would ask for, without signing."""
    signing, by_staff = _signing(call, body)
    shown = preview(call.session, lambda: _start(call, signing, by_staff))
    return schemas.describe_preview(shown, signing.version.currency)


@operation(
    blueprint, "GET", "/memberships", query=schemas.MembershipQuery, returns=schemas.MembershipDetail, many=True,
    paged=True,
)  # fmt: skip
def list_memberships(call: Call, query: dict[str, Any]) -> Paged:
    """Mine, and those at my spaces, newest first."""
    page = page_of(query["limit"], query["cursor"], key=(int,))
    found = select(Membership).order_by(Membership.id.desc()).limit(page.limit + 1)
    if page.after:
        found = found.where(Membership.id < page.after[0])
    if query["space"]:
        found = found.join(Space, Space.id == Membership.space_id).where(Space.uid == query["space"])
    shown, last = cut(call.session.scalars(found).all(), page, lambda membership: [membership.id])
    contracts = [contract_of(call.session, membership) for membership in shown]
    for space_id in {each.space.id for each in contracts if each.membership.member_id != call.person.member_id}:
        audit.note(call.session, call.person, "memberships.listed", space_id, "", call.now)
    return Paged([describe(call.session, contract, now=call.now) for contract in contracts], last)


@operation(blueprint, "GET", "/memberships/<membership_id>", returns=schemas.MembershipDetail, etag=True)
def show_membership(call: Call, membership_id: UUID) -> Reply:
    """What it follows today, and what is planned."""
    return _shown(call, contract_of(call.session, find_membership(call.session, membership_id)), did="viewed")


@operation(
    blueprint, "POST", "/memberships/<membership_id>/changes", body=schemas.PlanChange,
    returns=schemas.MembershipDetail, problems=(403, 409), idempotent=True, etag=True,
)  # fmt: skip
def change(call: Call, membership_id: UUID, body: dict[str, Any]) -> Reply:
    """Follow another version of a plan, now or from the next cycle on. Of two changes of a day the last holds."""
    return _done(call, membership_id, "changed", lambda contract, _: _change(call, contract, body))


@operation(
    blueprint, "POST", "/memberships/<membership_id>/pauses", body=schemas.NewPause, returns=schemas.MembershipDetail,
    problems=(403, 409), idempotent=True, etag=True,
)  # fmt: skip
def pause_membership(call: Call, membership_id: UUID, body: dict[str, Any]) -> Reply:
    """Stand still for some days: nothing is charged for them, nothing can be used."""
    return _done(call, membership_id, "paused", lambda contract, _: _pause(call, contract, **body))


@operation(
    blueprint, "POST", "/memberships/<membership_id>/resumptions", body=schemas.NewResumption,
    returns=schemas.MembershipDetail, problems=(403, 409), idempotent=True, etag=True,
)  # fmt: skip
def resume_membership(call: Call, membership_id: UUID, body: dict[str, Any]) -> Reply:
    """Run again from a day on."""
    return _done(call, membership_id, "resumed", lambda contract, _: _resume(call, contract, **body))


@operation(
    blueprint, "POST", "/memberships/<membership_id>/extensions", body=schemas.NewExtension,
    returns=schemas.MembershipDetail, problems=(403, 409), idempotent=True, etag=True,
)  # fmt: skip
def extend(call: Call, membership_id: UUID, body: dict[str, Any]) -> Reply:
    """Go on after the last day that was agreed; cycles and their credits simply follow."""
    return _done(call, membership_id, "extended", lambda contract, _: _extend(call, contract, body["until"]))


@operation(
    blueprint, "DELETE", "/memberships/<membership_id>", returns=schemas.MembershipDetail, problems=(403,),
    if_match=True, etag=True,
)  # fmt: skip
def end(call: Call, membership_id: UUID) -> Reply:
    """Give notice: its last day is the first that the notice allows. Where it ends no later anyway, this succeeds,
    whatever If-Match says."""

    def act(contract: Contract, _: bool) -> Contract:
        ends_on = contract.timeline.ends_on
        if ends_on is None or earliest_end(contract, today=contract.today(call.now)) < ends_on:
            call.check_match(membership_etag(contract.membership))
        return _end(call, contract, None, by_staff=contract.membership.member_id != call.person.member_id)

    return _done(call, membership_id, "ended", act)


@operation(
    blueprint, "POST", "/memberships/<membership_id>/notices", body=schemas.NewNotice,
    returns=schemas.MembershipDetail, problems=(403,), idempotent=True, etag=True,
)  # fmt: skip
def give_notice(call: Call, membership_id: UUID, body: dict[str, Any]) -> Reply:
    """End it on a day, no sooner than the notice allows; managers may waive the notice. Where it ends no later anyway,
    this succeeds."""
    return _done(
        call,
        membership_id,
        "ended",
        lambda contract, by_staff: _end(call, contract, body["last_day"], by_staff=by_staff),
    )


@operation(
    blueprint, "POST", "/memberships/<membership_id>/previews", body=schemas.PreviewRequest,
    returns=schemas.PreviewShape, problems=(403, 409), reads=True,
)  # fmt: skip
def preview_act(call: Call, membership_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """What an act would ask for or give back, without doing it."""
    contract, by_staff = _to_change(call, membership_id)
    acts: dict[str, Callable[[], Contract]] = {
        "change": lambda: _change(call, contract, body),
        "pause": lambda: _pause(call, contract, from_day=body["from_day"], until_day=body["until_day"]),
        "resume": lambda: _resume(call, contract, from_day=body["from_day"]),
        "extend": lambda: _extend(call, contract, body["until_day"]),
        "end": lambda: _end(call, contract, body["until_day"], by_staff=by_staff),
    }
    currency = contract.versions[contract.timeline.first].currency
    return schemas.describe_preview(preview(call.session, acts[body["act"]]), currency)


def _change(call: Call, contract: Contract, body: dict[str, Any]) -> Contract:
    if body["plan_version_id"] is None:
        raise Invalid.field("plan_version_id", "name the version to follow")
    version = find_version(call.session, body["plan_version_id"])
    return change_plan(call.session, contract, version=version, when=body["when"], now=call.now)


def _pause(call: Call, contract: Contract, *, from_day: date | None, until_day: date | None) -> Contract:
    first = from_day or max(contract.today(call.now), contract.timeline.starts_on)
    return pause(call.session, contract, from_day=first, until_day=until_day, now=call.now)


def _resume(call: Call, contract: Contract, *, from_day: date | None) -> Contract:
    return resume(call.session, contract, from_day=from_day or contract.today(call.now), now=call.now)


def _extend(call: Call, contract: Contract, until: date | None) -> Contract:
    return extend_membership(call.session, contract, until=until, now=call.now)


def _end(call: Call, contract: Contract, last_day: date | None, *, by_staff: bool) -> Contract:
    return end_membership(call.session, contract, last_day=last_day, by_staff=by_staff, now=call.now)


def _start(call: Call, signing: Signing, by_staff: bool) -> Contract:
    today = local_day(call.now, ZoneInfo(signing.space.timezone))
    return start_membership(call.session, signing, today=today, by_staff=by_staff, now=call.now)


def _signing(call: Call, body: dict[str, Any]) -> tuple[Signing, bool]:
    """What is to be signed, and whether staff do it for the member."""
    space = call.session.scalar(select(Space).where(Space.uid == body["space_id"]))
    if space is None:
        raise Invalid.field("space_id", "there is no such space")
    member_id, by_staff = call.person.member_id, False
    if body["member_id"] not in (None, call.person.uid):
        call.person.require(FRONT_DESK, space.id)
        member_id, by_staff = member_named(call.session, body["member_id"]), True
    signing = Signing(
        member_id=member_id,
        space=space,
        version=find_version(call.session, body["plan_version_id"]),
        starts_on=body["starts_on"],
        ends_on=body["ends_on"],
        team=_team(call, body["team_id"], space, member_id) if body["team_id"] else None,
        party_id=visible_payer(call.session, body["payer_id"]) if body["payer_id"] else None,
    )
    return signing, by_staff


def _team(call: Call, uid: UUID, space: Space, member_id: int) -> Team:
    team = call.session.scalar(select(Team).where(Team.uid == uid, Team.operator_id == space.operator_id))
    if team is None or team.member_id != member_id:
        raise Invalid.field("team_id", "name a team at this operator that the member answers for")
    return team


def _to_change(call: Call, uid: UUID) -> tuple[Contract, bool]:
    """The locked contract, and whether it is a manager who changes somebody else's. Desks act by the member's rules."""
    contract = lock_membership(call.session, Membership.uid == uid)
    if contract.membership.member_id == call.person.member_id:
        return contract, False
    call.person.require(FRONT_DESK, contract.space.id)
    return contract, call.person.may(MANAGE, contract.space.id)


def _done(call: Call, uid: UUID, did: str, act: Callable[[Contract, bool], Contract]) -> Reply:
    return _shown(call, act(*_to_change(call, uid)), did=did)


def _shown(call: Call, contract: Contract, *, did: str, status: int = 200) -> Reply:
    """As it is now; what staff did to a member's goes into the trail."""
    membership = contract.membership
    if membership.member_id != call.person.member_id:
        audit.note(call.session, call.person, f"membership.{did}", contract.space.id, str(membership.uid), call.now)
    described = describe(call.session, contract, now=call.now)
    location = f"/api/v1/memberships/{membership.uid}" if status == 201 else None
    return Reply(described, status=status, etag=membership_etag(membership), location=location)
