"""Memberships in full for tests: a plan version with any terms, teams with seats, parties that pay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.network.memberships.models import (
    CreditEntry,
    Membership,
    MembershipPause,
    MembershipTerm,
    Plan,
    PlanVersion,
    Team,
    TeamSeat,
)
from app.network.models import Member, Space
from app.network.parties.models import Party
from tests.builders import LONG_AGO, be_company_number, saved


def minutes(kind: str, amount: int, **window: Any) -> dict[str, Any]:
    return {"kind": kind, "unit": "minutes", "amount": amount, **window}


def cents(kind: str, amount: int, **window: Any) -> dict[str, Any]:
    return {"kind": kind, "unit": "cents", "amount": amount, **window}


def a_version(session: Session, space: Space, **terms: Any) -> PlanVersion:
    plan = saved(session, Plan(space_id=space.id, operator_id=space.operator_id, name=terms.pop("name", "Plan")))
    defaults = {"version": 1, "valid_from": LONG_AGO, "price_cents": 9900}
    return saved(session, PlanVersion(plan_id=plan.id, **{**defaults, **terms}))


def signed(
    session: Session, member: Member, space: Space, *, starts_on: date = LONG_AGO, ends_on: date | None = None,
    team: Team | None = None, party: Party | None = None, **terms: Any,
) -> Membership:  # fmt: skip
    """A membership on a plan of its own; `terms` are the plan version's: credits, discounts, cycle ..."""
    version = a_version(session, space, **terms)
    return saved(
        session,
        Membership(
            member_id=member.id, space_id=space.id, plan_version_id=version.id, starts_on=starts_on, ends_on=ends_on,
            team_id=team.id if team else None, party_id=party.id if party else None,
        ),
    )  # fmt: skip


def a_team(
    session: Session, space: Space, members: Iterable[Member], *, answers: Member, party: Party | None = None
) -> Team:
    team = saved(
        session,
        Team(operator_id=space.operator_id, member_id=answers.id, name="Team", party_id=party.id if party else None),
    )
    session.add_all(TeamSeat(team_id=team.id, member_id=member.id, from_day=LONG_AGO) for member in members)
    session.flush()
    return team


def a_business(session: Session, *, country: str = "FR", vat_status: str = "valid", **values: Any) -> Party:
    terms = {"is_business": True, "company_number": be_company_number(700), "vat_status": vat_status, **values}
    return saved(session, Party(name="Company", country=country, **terms))


def paused(session: Session, membership: Membership, first: date, last: date | None = None) -> None:
    saved(session, MembershipPause(membership_id=membership.id, from_day=first, until_day=last))


def moved_to(session: Session, membership: Membership, version: PlanVersion, day: date) -> None:
    saved(session, MembershipTerm(membership_id=membership.id, from_day=day, plan_version_id=version.id))


def entries(session: Session, *memberships: Membership) -> list[tuple[date, int, int, int, str]]:
    """Every entry as it was written: (cycle, pool, minutes, cents, reason)."""
    ids = [membership.id for membership in memberships]
    rows = session.scalars(select(CreditEntry).where(CreditEntry.membership_id.in_(ids)).order_by(CreditEntry.id))
    return [(row.cycle, row.pool, row.minutes, row.cents, row.reason) for row in rows]
