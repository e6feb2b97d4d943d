"""A membership that lets an office: for how long it was agreed, which its VAT depends on.

How long is what both sides agreed to beforehand, not what became of it: a letting without an end, or for a year, is no
short one because notice was given, and one for three months stays short until its end when it goes on after that; the
days after follow the whole of what was then agreed. Once long, it is never short again.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from app.network.memberships.contracts import Contract
from app.network.memberships.cycles import ONE_DAY
from app.network.memberships.models import Membership, PlanVersion
from app.vat.lettings import Letting, premises_of


def letting_of(contract: Contract, version: PlanVersion, *, day: date, used_by: date) -> Letting | None:
    """The letting that `version` is on `day`, followed on `used_by` at the latest; None where it is a service."""
    premises = premises_of(version.letting_equipped, version.option_from, version.option_until)
    if premises is None:
        return None
    return premises.let(
        day=day,
        starts_on=_first_day_on(contract, version.plan_id, used_by),
        ends_on=agreed_on(contract.membership, day),
    )


def _first_day_on(contract: Contract, plan_id: int, used_by: date) -> date:
    """The first day on which the membership follows any version of the plan: another price is no other letting."""
    timeline = contract.timeline
    begins = sorted({timeline.starts_on, *(step.from_day for step in timeline.terms)})
    days = (day for day in begins if day <= used_by and contract.version_on(day).plan_id == plan_id)
    return next(days, used_by)


def agreed_on(membership: Membership, day: date) -> date | None:
    """The last day that was agreed to by `day`; None is until further notice."""
    agreed = [until for since, until in _agreed(membership) if date.fromisoformat(since) <= day]
    return date.fromisoformat(agreed[-1]) if agreed and agreed[-1] else None


def agreed_ends(membership: Membership, ends_on: date | None) -> list[Any]:
    """What was agreed to once the last day is another: later than before holds from the day after the old one on."""
    agreed, last = _agreed(membership), membership.ends_on
    if last is None or (ends_on is not None and ends_on <= last):
        return agreed
    longest = [until for _, until in agreed]
    until = ends_on.isoformat() if ends_on and None not in longest else None
    return [*agreed, [(last + ONE_DAY).isoformat(), until and max(until, *filter(None, longest))]]


def _agreed(membership: Membership) -> list[Any]:
    """`[[from day, last day or null], ...]`, in their order; as signed while the last day is what was signed."""
    if membership.agreed_ends is not None:
        return list(membership.agreed_ends)
    return [[membership.starts_on.isoformat(), membership.ends_on.isoformat() if membership.ends_on else None]]
