"""Memberships as they are shown: what holds today, what is planned."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.http.preconditions import etag
from app.network.memberships.contracts import Contract, plan_of
from app.network.memberships.models import Membership
from app.network.memberships.offers.schemas import describe_version
from app.network.memberships.whose import payer_of, team_uid, whose


def membership_etag(membership: Membership) -> str:
    """Of what people decide; the timekeeper's visits change nothing that anybody could overwrite."""
    return etag(membership.uid, membership.revision)


def describe(session: Session, contract: Contract, *, now: datetime) -> dict[str, Any]:
    membership, timeline, today = contract.membership, contract.timeline, contract.today(now)
    held = contract.version_on(max(today, timeline.starts_on))
    return {
        "id": str(membership.uid),
        "status": status_on(contract, today),
        "space": {"id": str(contract.space.uid), "slug": contract.space.slug, "name": contract.space.name},
        "member_id": whose(session, contract)["member_id"],
        "team_id": team_uid(session, membership),
        "payer_id": payer_of(session, membership).uid,
        "plan": plan_of(session, held).name,
        "terms": describe_version(held),
        "starts_on": timeline.starts_on.isoformat(),
        "ends_on": _iso(timeline.ends_on),
        "charged_until": _iso(membership.charged_until),
        "pauses": _pauses(contract, today),
        "planned": _planned(contract, today),
    }


def status_on(contract: Contract, day: date) -> str:
    if contract.timeline.has_ended_by(day):
        return "ended"
    if day < contract.timeline.starts_on:
        return "coming"
    return "running" if contract.timeline.runs_on(day) else "paused"


def _pauses(contract: Contract, today: date) -> list[dict[str, Any]]:
    """What closes a membership for good is no pause."""
    return [
        {"from_day": pause.from_day.isoformat(), "until_day": _iso(pause.until_day)}
        for pause in contract.timeline.pauses
        if (pause.until_day is None or pause.until_day >= today) and not contract.timeline.has_ended_by(pause.from_day)
    ]


def _planned(contract: Contract, today: date) -> list[dict[str, Any]]:
    """Changes to come, each day's last word."""
    days = sorted({step.from_day for step in contract.timeline.terms if step.from_day > today})
    versions = [(day, contract.version_on(day)) for day in days]
    held, planned = contract.version_on(max(today, contract.timeline.starts_on)), []
    for day, version in versions:
        if version.id != held.id:
            planned.append({"from_day": day.isoformat(), "plan_version_id": str(version.uid)})
        held = version
    return planned


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
