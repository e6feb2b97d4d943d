"""What a booking would cost and whether it could be made, without making it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.booking.describing import price_shape
from app.booking.planning import Plan, plan
from app.booking.repeating import Previewed, preview_series
from app.booking.wishes import Wish
from app.errors import Problem, Refused, SlotTaken
from app.events.envelope import instant
from app.network.people import Person


def quote(session: Session, wish: Wish, *, person: Person, now: datetime) -> dict[str, Any]:
    """`{lines, total, cover, refusal}`, or for a recurrence `{dates: [{day, ...}]}` beside the sums. Writes nothing.

    `refusal` is None, or what booking it now would answer: code, rule, limit, alternatives. Raises NotFound, Invalid.
    """
    if wish.recurrence is not None:
        return _series(preview_series(session, wish, person=person, now=now))
    try:
        return _quoted(plan(session, wish, person=person, now=now))
    except (Refused, SlotTaken) as problem:
        return {"lines": [], "total": None, "cover": [], "refusal": refusal(problem)}


def refusal(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "rule": None, "limit": None, "alternatives": [], **problem.facts}


def _quoted(planned: Plan) -> dict[str, Any]:
    return {"lines": _lines(planned), "total": price_shape(planned.price), "cover": planned.cover, "refusal": None}


def _lines(planned: Plan) -> list[dict[str, Any]]:
    return [
        {
            "resource_id": str(line.situation.offer.resource_uid),
            "name": line.situation.offer.name,
            "start": instant(planned.start),
            "end": instant(planned.end),
            "price": price_shape(line.price),
        }
        for line in planned.lines
    ]


def _series(previewed: list[Previewed]) -> dict[str, Any]:
    plans = [each.planned for each in previewed if each.planned is not None]
    problems = [each.problem for each in previewed if each.problem is not None]
    return {
        "lines": [line for planned in plans for line in _lines(planned)],
        "total": _sum(plans),
        "cover": [],
        "refusal": refusal(problems[0]) if problems else None,
        "dates": [_date(each) for each in previewed],
    }


def _date(each: Previewed) -> dict[str, Any]:
    """Cover is shown for each date as if it alone were booked: credits run out as the dates are booked in turn."""
    return {
        "day": each.occurrence.day.isoformat(),
        "start": instant(each.occurrence.start),
        "end": instant(each.occurrence.end),
        "price": price_shape(each.planned.price) if each.planned else None,
        "cover": each.planned.cover if each.planned else [],
        "refusal": refusal(each.problem) if each.problem else None,
    }


def _sum(plans: list[Plan]) -> dict[str, Any] | None:
    if not plans:
        return None
    prices = [planned.price for planned in plans]
    return {
        "amount_cents": sum(price.gross_cents for price in prices),
        "currency": prices[0].currency,
        "net_cents": sum(price.net_cents for price in prices),
        "vat_cents": sum(price.vat_cents for price in prices),
    }
