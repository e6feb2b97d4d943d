"""Closing days, months and years, by itself at each operator's local midnight.

What software that records payments of private customers owes in France (CGI art. 286-I-3° bis; BOI-TVA-DECLA-30-10-30).

The timekeeper calls `close_next`, which takes one step: it draws the line at the end of the next day, or, that done,
seals the day, and with its last day the month and the year. Drawing and sealing are transactions of their own, so that
nobody who writes waits for sums. After a standstill the line is drawn once for up to a month of days, which are then
sealed each by itself, in order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.closings import content
from app.billing.closings.books import book_of, bound, open_books
from app.billing.closings.days import DAY, MONTH, begin_of, end_of, ended_with, first_of, local_day
from app.billing.closings.finding import Window, totals_of
from app.billing.closings.models import Closing, ClosingBook
from app.events.models import Due
from app.network.models import Operator
from app.timekeeper import due, schedule

OPEN, CLOSE, ARCHIVE = "closing.open", "closing.next", "archive.month"
EVERYBODY = 0
LOOK_EVERY = timedelta(hours=1)
AT_ONCE = timedelta(seconds=1)
TRY_AGAIN = timedelta(seconds=5)
JUST_BEFORE = timedelta(microseconds=1)  # a due row must not be given the instant it has: it would be taken for done
BATCH = 50
ONE_DAY = timedelta(days=1)
MOST_DAYS = timedelta(days=30)  # after standstill, sealed one after the other in one transaction


def begin_closings(session: Session, *, now: datetime) -> None:
    """Put closings on the timekeeper's list; nothing changes when they are there."""
    if session.get(Due, (OPEN, EVERYBODY)) is None:
        schedule(session, OPEN, EVERYBODY, now)


@due(OPEN)
def open_new_books(session: Session, _everybody: int, *, now: datetime) -> None:
    """Open the books of new operators, and look again in an hour."""
    opened = open_books(session, now=now, limit=BATCH)
    for book in opened:
        schedule(session, CLOSE, book.operator_id, end_of(book.begins_on, ZoneInfo(book.timezone)))
    schedule(session, OPEN, EVERYBODY, now + (AT_ONCE if len(opened) == BATCH else LOOK_EVERY))


@due(CLOSE)
def close_next(session: Session, operator_id: int, *, now: datetime) -> None:
    """The next step of an operator's closings, if its time has come; the one after it is scheduled."""
    book = book_of(session, operator_id)
    if book is None:
        return
    before = last_closing(session, operator_id, DAY)
    day = before.last_day + ONE_DAY if before else book.begins_on
    zone = ZoneInfo(book.timezone)
    ends_at = end_of(day, zone)
    if now < ends_at:
        schedule(session, CLOSE, operator_id, ends_at)
    elif book.bounded_until < ends_at:
        line = end_of(min(local_day(now, zone) - ONE_DAY, day + MOST_DAYS), zone)
        drawn = bound(session, book, line)
        schedule(session, CLOSE, operator_id, line - JUST_BEFORE if drawn else now + TRY_AGAIN)
    else:
        while end_of(day, zone) <= book.bounded_until:
            before, day = seal_day(session, book, day, before, now=now), day + ONE_DAY
        schedule(session, CLOSE, operator_id, end_of(day, zone))


def seal_day(session: Session, book: ClosingBook, day: date, before: Closing | None, *, now: datetime) -> Closing:
    """Close one day whose line is drawn, and what ends with it; returns the day's closing."""
    zone = ZoneInfo(book.timezone)
    window = Window(book.operator_id, before.ends_at if before else begin_of(day, zone), end_of(day, zone))
    [totals] = totals_of(session, [window])
    operator = session.get_one(Operator, book.operator_id)
    number = before.number + 1 if before else 1
    period = content.Period(DAY, number, day, day, window.starts_at, window.ends_at, book.timezone)
    closed = _seal(session, operator, period, totals, before, now=now)
    for kind in ended_with(day):
        _seal_of_days(session, operator, book, kind, day, now=now)
        if kind == MONTH:
            schedule(session, ARCHIVE, book.operator_id, now)
    return closed


def _seal_of_days(
    session: Session, operator: Operator, book: ClosingBook, kind: str, last_day: date, *, now: datetime
) -> None:
    first_day = max(first_of(kind, last_day), book.begins_on)
    days = daily(session, operator.id, first_day, last_day)
    before = last_closing(session, operator.id, kind)
    number = before.number + 1 if before else 1
    starts_at, ends_at = days[0].starts_at, days[-1].ends_at
    period = content.Period(kind, number, first_day, last_day, starts_at, ends_at, book.timezone)
    totals = content.of_days([json.loads(closed.snapshot) for closed in days])
    made_of = {"first": days[0].number, "last": days[-1].number, "head": days[-1].hash}
    _seal(session, operator, period, totals, before, days=made_of, now=now)


def _seal(
    session: Session, operator: Operator, period: content.Period, totals: content.Totals, before: Closing | None, *,
    now: datetime, days: Mapping[str, Any] | None = None,
) -> Closing:  # fmt: skip
    said = content.written(
        operator=str(operator.uid), period=period, totals=totals, days=days,
        before=json.loads(before.snapshot) if before else None, before_hash=before.hash if before else None,
    )  # fmt: skip
    text = content.canonical(said)
    closing = Closing(
        operator_id=operator.id,
        kind=period.kind,
        number=period.number,
        first_day=period.first_day,
        last_day=period.last_day,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        snapshot=text,
        hash=content.hash_of(text),
        previous_hash=before.hash if before else None,
        sealed_at=now,
    )
    session.add(closing)
    session.flush()
    return closing


def last_closing(session: Session, operator_id: int, kind: str) -> Closing | None:
    of_kind = select(Closing).filter_by(operator_id=operator_id, kind=kind)
    return session.scalars(of_kind.order_by(Closing.number.desc()).limit(1)).one_or_none()


def daily(session: Session, operator_id: int, first_day: date, last_day: date) -> list[Closing]:
    """The daily closings of some days, in order."""
    chosen = select(Closing).filter_by(operator_id=operator_id, kind=DAY)
    within = chosen.where(Closing.first_day >= first_day, Closing.last_day <= last_day)
    return list(session.scalars(within.order_by(Closing.number)))
