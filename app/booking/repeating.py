"""Bookings that repeat: previewed date by date, then booked all together or not at all.

The person looks at the preview, leaves out the dates that will not do (`except_days`), and books the rest in one
transaction. Each date becomes a booking of its own, so that one can be moved or cancelled without the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.booking import occupying
from app.booking.catalogue.remembering import offer_of
from app.booking.making import Made, fact_of, take
from app.booking.models import BookingSeries
from app.booking.planning import Plan, plan
from app.booking.promises import Promised
from app.booking.quotes import promised
from app.booking.recurrence import Occurrence, expand, shape
from app.booking.wishes import Wish
from app.errors import Invalid, Problem, Refused, SlotTaken
from app.events.envelope import instant
from app.events.outbox import insert_events
from app.network.people import Person

# Seeking alternatives takes longer than all the rest: of a long recurrence, only for the first dates that fail.
MOST_WITH_ALTERNATIVES = 3


class SeriesTaken(SlotTaken):
    """`dates` names each date that cannot be booked and why; the first three with alternatives, the rest with none."""

    title = "Some of the dates are taken; leave them out (except_days) or choose others."


class SeriesRefused(Refused):
    title = "A rule refuses some of the dates; leave them out (except_days) or choose others."


@dataclass(frozen=True, slots=True)
class Previewed:
    """One date of a recurrence: what it would cost, or why it cannot be booked."""

    occurrence: Occurrence
    planned: Plan | None
    problem: Problem | None


def preview_series(session: Session, wish: Wish, *, person: Person, now: datetime) -> list[Previewed]:
    """Every date on its own, as if it alone were booked; the first three that fail with alternatives.

    Raises NotFound, Invalid.
    """
    previewed: list[Previewed] = []
    failed = 0
    for occurrence in _dates(session, wish):
        try:
            planned = _plan(session, wish, occurrence, person=person, now=now, failed=failed)
            previewed.append(Previewed(occurrence, planned, None))
        except (Refused, SlotTaken) as problem:
            previewed.append(Previewed(occurrence, None, problem))
            failed += 1
    return previewed


def make_series(
    session: Session, wish: Wish, *, person: Person, now: datetime, quote_id: UUID | None = None
) -> list[Made]:
    """Book every date of the recurrence, or none; at the prices of the quote, where one is given.

    Raises NotFound, Invalid, SeriesTaken when places are taken, SeriesRefused when a rule stands against a date; both
    name all the dates that will not do, the first three with alternatives.
    """
    dates = _dates(session, wish)
    promises = promised(session, quote_id, wish, person=person, now=now)
    offers = [offer_of(session, uid) for uid in (wish.resource_id, *wish.extras)]
    occupying.lock_person(session, person.member_id, space_id=offers[0].space_id)
    occupying.lock_units(session, {unit_id for offer in offers for unit_id in offer.unit_ids})
    repeats = shape(wish.recurrence) if wish.recurrence else {}
    series = BookingSeries(member_id=person.member_id, recurrence=repeats, created_at=now)
    session.add(series)
    session.flush()
    made: list[Made] = []
    failed: list[tuple[Occurrence, Problem]] = []
    for occurrence in dates:
        try:
            planned = _plan(
                session, wish, occurrence, person=person, now=now, failed=len(failed),
                held_to=promises.get(occurrence.start),
            )  # fmt: skip
            made.append(take(session, planned, person=person, now=now, series_id=series.id, series_uid=series.uid))
        except (Refused, SlotTaken) as problem:
            failed.append((occurrence, problem))
    if failed:
        raise _failure(failed)
    insert_events(session, [(fact_of(each), each.row["uid"], 1) for each in made], at=now)
    return made


def _plan(
    session: Session, wish: Wish, occurrence: Occurrence, *, person: Person, now: datetime, failed: int,
    held_to: Promised | None = None,
) -> Plan:  # fmt: skip
    """The plan for one date, after so many dates that `failed`."""
    if occurrence.problem is not None:
        raise Refused(rule=occurrence.problem, limit=occurrence.day.isoformat())
    planned = plan(
        session, wish, person=person, now=now, start=occurrence.start, end=occurrence.end,
        seek_alternatives=failed < MOST_WITH_ALTERNATIVES, promised=held_to,
    )  # fmt: skip
    if planned.pays_first:
        raise Refused(rule="pay_first", limit="one booking at a time")
    return planned


def _dates(session: Session, wish: Wish) -> list[Occurrence]:
    if wish.recurrence is None:
        raise Invalid.field("recurrence", "say how the booking repeats")
    zone = offer_of(session, wish.resource_id).zone
    return expand(wish.recurrence, start=wish.start, end=wish.end, zone=zone)


def _failure(failed: Sequence[tuple[Occurrence, Problem]]) -> Problem:
    dates = [
        {
            "day": occurrence.day.isoformat(),
            "start": instant(occurrence.start),
            "end": instant(occurrence.end),
            "code": problem.code,
            **{name: problem.facts[name] for name in ("rule", "limit", "alternatives") if name in problem.facts},
        }
        for occurrence, problem in failed
    ]
    refused = next((problem for _, problem in failed if isinstance(problem, Refused)), None)
    if refused is not None:
        return SeriesRefused(
            rule=refused.rule, limit=refused.limit, alternatives=refused.facts["alternatives"], dates=dates
        )
    return SeriesTaken(alternatives=failed[0][1].facts["alternatives"], dates=dates)
