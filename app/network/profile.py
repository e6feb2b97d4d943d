"""What a person is here, for themselves: account, network, roles, memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.network.memberships.contracts import Contract, contract_of, plan_of
from app.network.memberships.models import Membership, PlanVersion
from app.network.memberships.pools import MINUTES, pools_of
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


def describe_me(session: Session, member: Member, person: Person, *, now: datetime) -> dict[str, Any]:
    return {
        **describe_account(member),
        "network": _network(session, member.network_id),
        "roles": [_role(session, grant) for grant in person.grants],
        "memberships": _memberships(session, member.id, now),
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


def _memberships(session: Session, member_id: int, now: datetime) -> list[dict[str, Any]]:
    """With what it includes today; one that is to come, on its first day; one that is over, on its last."""
    mine = select(Membership).where(Membership.member_id == member_id)
    rows = session.scalars(mine.order_by(Membership.starts_on.desc(), Membership.id))
    return [_membership(session, contract_of(session, row), now) for row in rows]


def _membership(session: Session, contract: Contract, now: datetime) -> dict[str, Any]:
    membership, space = contract.membership, contract.space
    today = max(contract.today(now), membership.starts_on)
    version = contract.version_on(min(today, membership.ends_on or today))
    return {
        "id": str(membership.uid),
        "space": {"id": str(space.uid), "slug": space.slug, "name": space.name},
        "plan": plan_of(session, version).name,
        "starts_on": membership.starts_on.isoformat(),
        "ends_on": membership.ends_on.isoformat() if membership.ends_on else None,
        "included": _minutes(version),
    }


def _minutes(version: PlanVersion) -> dict[str, int]:
    """Minutes of credit by kind of resource, `*` for any."""
    sums: dict[str, int] = {}
    for pool in pools_of(version.credits, version.included):
        if pool.unit == MINUTES:
            sums[pool.kind] = sums.get(pool.kind, 0) + pool.amount
    return sums
