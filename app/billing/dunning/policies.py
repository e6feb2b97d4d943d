"""How an operator wants to be paid in time: its schedule and terms, chosen once, and the morning on which it is run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.dunning import steps as schedules
from app.billing.dunning.fees import Terms
from app.billing.dunning.models import DunningPolicy
from app.billing.dunning.steps import USUAL, Step
from app.billing.months import HOME_ZONE
from app.errors import Invalid
from app.network.models import Space
from app.timekeeper import schedule, unschedule

KIND = "billing.dunning"
MORNING = time(8, 0)
RETRY_DAYS = (3, 7)
MOST_RETRIES = 4


class Policy(NamedTuple):
    """What an operator chose, or the usual, which is off until somebody turns it on."""

    active: bool = False
    steps: tuple[Step, ...] = USUAL
    terms: Terms = Terms()
    least_cents: int = 100
    retry_days: tuple[int, ...] = RETRY_DAYS


def policy_of(session: Session, operator_id: int) -> Policy:
    row = session.get(DunningPolicy, operator_id)
    if row is None:
        return Policy()
    return Policy(
        active=row.active,
        steps=tuple(Step(**each) for each in row.steps),
        terms=Terms(row.basis_points, row.consumers_agreed),
        least_cents=row.least_cents,
        retry_days=tuple(row.retry_days),
    )


def hold_policy(session: Session, operator_id: int) -> None:
    """Whoever runs the schedule and whoever stops it do so one after the other."""
    own = select(DunningPolicy.operator_id).where(DunningPolicy.operator_id == operator_id)
    session.execute(own.with_for_update(key_share=True))


def choose_policy(session: Session, operator_id: int, wish: Mapping[str, Any], *, now: datetime) -> Policy:
    """Keep a schedule, and have it run from the next morning on while it is active. Raises Invalid."""
    steps = schedules.checked(wish["steps"])
    retry_days = _checked_retries(wish["retry_days"])
    row = DunningPolicy(
        operator_id=operator_id,
        active=wish["active"],
        steps=[step._asdict() for step in steps],
        basis_points=wish["basis_points"],
        consumers_agreed=wish["consumers_agreed"],
        least_cents=wish["least_cents"],
        retry_days=retry_days,
        changed_at=now,
    )
    session.merge(row)
    session.flush()
    if row.active:
        schedule(session, KIND, operator_id, next_morning(session, operator_id, now=now))
    else:
        unschedule(session, KIND, operator_id)
    return policy_of(session, operator_id)


def today(session: Session, operator_id: int, *, now: datetime) -> date:
    """The day on the wall of the operator's first space."""
    return now.astimezone(zone_of(session, operator_id)).date()


def next_morning(session: Session, operator_id: int, *, now: datetime) -> datetime:
    """The next eight o'clock there."""
    zone = zone_of(session, operator_id)
    day = now.astimezone(zone).date()
    at = datetime.combine(day, MORNING, zone)
    return at if at > now else datetime.combine(day + timedelta(days=1), MORNING, zone)


def zone_of(session: Session, operator_id: int) -> ZoneInfo:
    first = select(Space.timezone).where(Space.operator_id == operator_id).order_by(Space.id).limit(1)
    return ZoneInfo(session.scalar(first) or HOME_ZONE)


def _checked_retries(days: list[int]) -> list[int]:
    if len(days) > MOST_RETRIES or any(not 1 <= day <= 60 for day in days) or sorted(set(days)) != days:
        raise Invalid.field("retry_days", f"must be at most {MOST_RETRIES} days from 1 to 60, rising")
    return days
