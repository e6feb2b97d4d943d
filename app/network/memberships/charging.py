"""Asking for what is owed: each cycle's fee at its local midnight, differences after a change, deposits.

A fee is asked for by recording `membership.charged`; `charged_until` is the last day asked for, moved on in the same
transaction under the membership's lock, so that no day is asked for twice and none is left out, however late the
timekeeper comes. A membership whose `charged_until` is null was made before fees were asked for here: it is charged
from the day on which it is first moved to a version (changing.py), and never for days before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events.membership_facts import MembershipCharged
from app.events.outbox import record
from app.network.memberships.contracts import Contract
from app.network.memberships.cycles import ONE_DAY, day_begins
from app.network.memberships.lettings import letting_of
from app.network.memberships.models import PlanVersion
from app.network.memberships.owed import Part, difference, owed
from app.network.memberships.terms import Timeline
from app.network.memberships.whose import customer_of, payer_of, whose
from app.network.models import VatRegime
from app.timekeeper import schedule, unschedule
from app.vat.decide import Decision, decide, price_with_vat
from app.vat.rates import VatUndecided

PLACE_OF_SUPPLY = "IMMOVABLE"
NEXT = "membership.next"
Line = dict[str, Any]

# Security for what may not be paid is no consideration for a supply; what is kept of it is charged as what it is.
NO_SUPPLY = Decision(0, "O", "Directive 2006/112/CE, art. 2")


def charge_cycle(session: Session, contract: Contract, *, first: date, last: date, now: datetime) -> None:
    """Ask for the days `[first, last]`, which nobody has been asked for yet. Free days are passed over in silence."""
    parts = owed(contract.timeline, contract.tariffs, first, last)
    ask(session, contract, _lines(session, contract, parts, "cycle"), now)
    contract.membership.charged_until = last


def adjust(session: Session, before: Timeline, after: Contract, *, now: datetime) -> None:
    """Ask for what a change of the timeline makes of the days already asked for."""
    until = after.membership.charged_until
    if until is None:
        return
    parts = difference(before, after.timeline, after.tariffs, until)
    ask(session, after, _lines(session, after, parts, "adjustment"), now)


def coming(session: Session, contract: Contract) -> tuple[date, list[Line]] | None:
    """The first day not asked for yet, and what will be asked for then; None where nothing will."""
    first = first_uncharged(contract)
    if first is None or contract.timeline.has_ended_by(first):
        return None
    parts = owed(contract.timeline, contract.tariffs, first, contract.last_of_cycle(first))
    return first, _lines(session, contract, parts, "cycle")


def first_uncharged(contract: Contract) -> date | None:
    """The first day that a fee is still to be asked for; None where fees are not asked for."""
    until = contract.membership.charged_until
    return until + ONE_DAY if until is not None else None


def deposit(contract: Contract, *, day: date, back: bool = False) -> list[Line]:
    """The deposit of the version signed first, or its return; changing to another version leaves it as it is."""
    first = contract.versions[contract.timeline.first]
    if not first.deposit_cents:
        return []
    cents = -first.deposit_cents if back else first.deposit_cents
    line = _line(first, "deposit_return" if back else "deposit", day, day, 1, 1)
    return [{**line, **_amounts(cents, False, NO_SUPPLY)}]


def ask(session: Session, contract: Contract, lines: Sequence[Line], now: datetime) -> None:
    if not lines:
        return
    membership = contract.membership
    fact = MembershipCharged(
        lines=list(lines),
        payer_id=payer_of(session, membership).uid,
        **whose(session, contract),
    )
    record(session, membership, fact, at=now)


def schedule_next(session: Session, contract: Contract) -> None:
    """Have the timekeeper come at the midnight that ends the last day asked for, or the membership."""
    days = [day for day in (contract.membership.charged_until, contract.timeline.ends_on) if day is not None]
    if contract.over or not days:
        unschedule(session, NEXT, contract.membership.id)
        return
    at = day_begins(min(days) + ONE_DAY, ZoneInfo(contract.space.timezone))
    schedule(session, NEXT, contract.membership.id, at)


def _lines(session: Session, contract: Contract, parts: Iterable[Part], kind: str) -> list[Line]:
    priced = [part for part in parts if part.cents]
    decisions = _Decisions(session, contract) if priced else None
    return [_fee(contract, part, kind, decisions) for part in priced if decisions]


def _fee(contract: Contract, part: Part, kind: str, decisions: _Decisions) -> Line:
    """VAT is decided on the first day that the membership has of the part's cycle: what is owed back later of the same
    cycle is owed back at the same rate."""
    version = contract.versions[part.version_id]
    decision = decisions.on(max(part.cycle.first, contract.timeline.starts_on), version, part)
    line = _line(version, kind, part.first, part.last, part.days, part.cycle.days)
    return {**line, **_amounts(part.cents, version.includes_vat, decision)}


def _line(version: PlanVersion, kind: str, first: date, last: date, days: int, of_days: int) -> Line:
    return {
        "kind": kind,
        "plan_version_id": str(version.uid),
        "from_day": first.isoformat(),
        "until_day": last.isoformat(),
        "days": days,
        "of_days": of_days,
        "currency": version.currency,
    }


def _amounts(cents: int, includes_vat: bool, decision: Decision) -> Line:
    amounts = price_with_vat(cents, includes_vat, decision)
    vat = {
        "permille": decision.rate_permille,
        "category": decision.category,
        "ground": decision.ground,
        "mention": decision.mention_code,
        "includes_vat": includes_vat,
    }
    return {"gross_cents": amounts.gross, "net_cents": amounts.net, "vat_cents": amounts.vat, "vat": vat}


class _Decisions:
    """How VAT is decided for one membership, by day."""

    def __init__(self, session: Session, contract: Contract) -> None:
        regimes = select(VatRegime).where(VatRegime.operator_id == contract.operator.id)
        self._regimes = {row.valid_from: row.regime for row in session.scalars(regimes)}
        self._country = contract.space.country
        self._contract = contract
        self._customer = customer_of(session, contract.membership)

    def on(self, day: date, version: PlanVersion, part: Part) -> Decision:
        """Raises VatUndecided before the operator's first regime, or where the tables have no answer."""
        begun = [since for since in self._regimes if since <= day]
        if not begun:
            raise VatUndecided(country=self._country, regime=None, day=day.isoformat())
        return decide(
            country=self._country,
            postcode=self._contract.space.postcode,
            regime=self._regimes[max(begun)],
            place_of_supply=PLACE_OF_SUPPLY,
            day=day,
            customer_country=self._customer.country,
            customer_is_business=self._customer.is_business,
            letting=letting_of(self._contract, version, day=day, used_by=part.last),
        )
