"""What a booking would cost and whether it could be made, without making it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.booking import quotes
from app.booking.access import hours_on
from app.booking.describing import price_shape, terms_shape
from app.booking.localtime import local_day
from app.booking.planning import Line, Plan, plan
from app.booking.prices import Price
from app.booking.repeating import Previewed, preview_series
from app.booking.wishes import Wish
from app.errors import Problem, Refused, SlotTaken
from app.events.envelope import instant
from app.network.people import Person

NOTHING_PROMISED = {"id": None, "expires_at": None}


def quote(
    session: Session, wish: Wish, *, person: Person, now: datetime, promise: bool = False
) -> dict[str, Any]:  # fmt: skip
    """`{lines, total, cover, refusal}` and the cancellation terms, or for a recurrence `{dates: [{day, ...}]}` beside
    the sums.

    Told to `promise`, it keeps what it says for five minutes under an `id`; otherwise it writes nothing. `refusal` is
    None, or what booking it now would answer: code, rule, limit, alternatives. Raises NotFound, Invalid.
    """
    if wish.recurrence is not None:
        previewed = preview_series(session, wish, person=person, now=now)
        plans = [each.planned for each in previewed if each.planned is not None]
        quoted = _series(previewed, plans)
    else:
        try:
            plans = [plan(session, wish, person=person, now=now)]
        except (Refused, SlotTaken) as problem:
            return {**_REFUSED, "refusal": refusal(problem)}
        quoted = _quoted(plans[0])
    if not promise or not plans:
        return quoted
    kept = quotes.keep(session, wish, plans, person=person, now=now)
    return {**quoted, "id": str(kept.uid), "expires_at": instant(kept.expires_at)}


_REFUSED: dict[str, Any] = {
    "lines": [], "total": None, "cover": [], "cancellation": [], "free_until": None, "letting": None,
    "outside_access": [], **NOTHING_PROMISED,
}  # fmt: skip


def refusal(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "rule": None, "limit": None, "alternatives": [], **problem.facts}


def _quoted(planned: Plan) -> dict[str, Any]:
    return {
        "lines": list(_lines(planned)),
        "total": price_shape(planned.price),
        "cover": planned.cover,
        **_terms(planned),
        "letting": planned.letting,
        "outside_access": _outside_access(planned),
        "refusal": None,
        **NOTHING_PROMISED,
    }


def _outside_access(planned: Plan) -> list[dict[str, Any]]:
    """The person's plans that give nothing to this booking, because it is at none of their access hours."""
    day = local_day(planned.start, planned.offer.zone)
    return [{"plan": plan_name, "access": hours_on(day, [hours])} for plan_name, hours in planned.situation.shut]


def _terms(planned: Plan) -> dict[str, Any]:
    """Until when it is free: of a recurrence, its first date."""
    return terms_shape(planned.cancellation, start=planned.start)


def _lines(planned: Plan) -> Iterator[dict[str, Any]]:
    """Each resource at its price, and what a plan takes off it as a line of its own; they sum to the total."""
    for line in planned.lines:
        yield _line(planned, line, line.situation.offer.name, line.full_price or line.price)
        if line.full_price and line.situation.discount:
            plan_name, percent = line.situation.discount
            yield {**_line(planned, line, plan_name, _difference(line.price, line.full_price)), "percent_off": percent}


def _line(planned: Plan, line: Line, name: str, price: Price) -> dict[str, Any]:
    return {
        "resource_id": str(line.situation.offer.resource_uid),
        "name": name,
        "start": instant(planned.start),
        "end": instant(planned.end),
        "price": price_shape(price),
    }


def _difference(less: Price, full: Price) -> Price:
    return Price(
        less.gross_cents - full.gross_cents,
        less.net_cents - full.net_cents,
        less.vat_cents - full.vat_cents,
        full.currency,
        full.rate_permille,
    )


def _series(previewed: list[Previewed], plans: Sequence[Plan]) -> dict[str, Any]:
    problems = [each.problem for each in previewed if each.problem is not None]
    terms = _terms(plans[0]) if plans else {}
    return {
        **_REFUSED,
        **terms,
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
        "outside_access": _outside_access(each.planned) if each.planned else [],
        "refusal": refusal(each.problem) if each.problem else None,
    }


def _sum(plans: Sequence[Plan]) -> dict[str, Any] | None:
    if not plans:
        return None
    prices = [planned.price for planned in plans]
    return {
        "amount_cents": sum(price.gross_cents for price in prices),
        "currency": prices[0].currency,
        "net_cents": sum(price.net_cents for price in prices),
        "vat_cents": sum(price.vat_cents for price in prices),
    }
