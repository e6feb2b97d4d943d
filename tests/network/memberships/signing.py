"""A space with plans, a member who signs one, and what the timekeeper and everybody else then ask for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events.models import OutboxRow
from app.network.memberships.advancing import advance_membership
from app.network.memberships.contracts import Contract, lock_membership
from app.network.memberships.models import Membership, Plan, PlanVersion
from app.network.memberships.starting import Signing, start_membership
from app.network.models import Member, Space
from tests.builders import LONG_AGO, a_member, a_space, saved

BRUSSELS = ZoneInfo("Europe/Brussels")


def at(text: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    """A local day, or a local minute: `2026-04-01` is its midnight."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def d(text: str) -> date:
    return date.fromisoformat(text)


def a_plan(session: Session, space: Space, *, price_cents: int = 10_000, **terms: Any) -> PlanVersion:
    """Version 1 of a new plan of the space's, ex VAT, in force since long ago."""
    plan = saved(session, Plan(operator_id=space.operator_id, space_id=space.id, name="Plan"))
    values = {"version": 1, "valid_from": LONG_AGO, "price_cents": price_cents, **terms}
    return saved(session, PlanVersion(plan_id=plan.id, **values))


def a_newer_version(session: Session, old: PlanVersion, *, valid_from: date, price_cents: int) -> PlanVersion:
    values = {"version": old.version + 1, "valid_from": valid_from, "price_cents": price_cents}
    return saved(session, PlanVersion(plan_id=old.plan_id, **values))


@dataclass
class House:
    """Everything happens to one member at one space; `by` is a local day or minute."""

    session: Session
    space: Space
    member: Member
    plan: PlanVersion

    def sign(self, starts_on: str, *, by: str | None = None, **wish: Any) -> Membership:
        now = at(by or starts_on, ZoneInfo(self.space.timezone))
        by_staff = wish.pop("by_staff", False)
        values = {"member_id": self.member.id, "space": self.space, "version": self.plan, **wish}
        if isinstance(values.get("ends_on"), str):
            values["ends_on"] = d(values["ends_on"])
        signing = Signing(**values, starts_on=d(starts_on))
        contract = start_membership(self.session, signing, today=now.date(), by_staff=by_staff, now=now)
        return contract.membership

    def tick(self, membership: Membership, by: str) -> None:
        """The timekeeper comes."""
        advance_membership(self.session, membership.id, now=at(by, ZoneInfo(self.space.timezone)))

    def lock(self, membership: Membership) -> Contract:
        return lock_membership(self.session, Membership.id == membership.id)

    def events(self, membership: Membership) -> list[tuple[str, dict[str, Any]]]:
        rows = select(OutboxRow.type, OutboxRow.envelope).where(OutboxRow.aggregate_id == membership.uid)
        self.session.flush()
        return [
            (kind, json.loads(text)["data"]) for kind, text in self.session.execute(rows.order_by(OutboxRow.seq)).all()
        ]

    def types(self, membership: Membership) -> list[str]:
        return [kind.removeprefix("membership.") for kind, _ in self.events(membership)]

    def lines(self, membership: Membership) -> list[dict[str, Any]]:
        return [line for kind, data in self.events(membership) if kind.endswith(".charged") for line in data["lines"]]

    def asked(self, membership: Membership) -> list[tuple[str, str, str, int]]:
        """`(kind, from, until, net)` of every line so far."""
        return [
            (line["kind"], line["from_day"][5:], line["until_day"][5:], line["net_cents"])
            for line in self.lines(membership)
        ]


def a_house(session: Session, **values: Any) -> House:
    terms = values.pop("terms", {})
    space = a_space(session, **values)
    return House(session, space, a_member(session), a_plan(session, space, **terms))
