"""What a person is here, for themselves: account, network, roles, memberships."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.network.memberships.models import Membership, Plan, PlanVersion
from app.network.models import Employer, Funder, Member, Network, Operator, Space
from app.network.people import Grant, Person

PLACES: dict[str, Any] = {
    "space": Space,
    "operator": Operator,
    "network": Network,
    "employer": Employer,
    "funder": Funder,
}


def describe_account(member: Member) -> dict[str, Any]:
    return {"id": str(member.uid), "email": member.email, "name": member.name, "locale": member.locale}


def describe_me(session: Session, member: Member, person: Person) -> dict[str, Any]:
    return {
        **describe_account(member),
        "network": _network(session, member.network_id),
        "roles": [_role(session, grant) for grant in person.grants],
        "memberships": _memberships(session, member.id),
    }


def _network(session: Session, network_id: int | None) -> dict[str, Any] | None:
    network = session.get(Network, network_id) if network_id else None
    return {"id": str(network.uid), "slug": network.slug, "name": network.name} if network else None


def _role(session: Session, grant: Grant) -> dict[str, Any]:
    place = PLACES.get(grant.scope_type)
    found = session.get(place, grant.scope_id) if place else None
    return {
        "role": grant.role,
        "scope": grant.scope_type,
        "scope_id": str(found.uid) if found else None,
        "name": found.name if found else "",
    }


def _memberships(session: Session, member_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Membership, Space, Plan.name, PlanVersion.included)
        .join(Space, Space.id == Membership.space_id)
        .join(PlanVersion, PlanVersion.id == Membership.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Membership.member_id == member_id)
        .order_by(Membership.starts_on.desc(), Membership.id)
    )
    return [
        {
            "id": str(membership.uid),
            "space": {"id": str(space.uid), "slug": space.slug, "name": space.name},
            "plan": plan,
            "starts_on": membership.starts_on.isoformat(),
            "ends_on": membership.ends_on.isoformat() if membership.ends_on else None,
            "included": included,
        }
        for membership, space, plan, included in rows
    ]
