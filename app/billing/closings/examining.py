"""Examining closings: each one's hash, place in its chain and sums, recomputed from what was recorded.

What was changed by hand in a posting, a charge, a document or a closing shows in the closing of its day. Days are read
a hundred at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.billing.closings import content, counters
from app.billing.closings.days import DAY, KINDS, begin_of, ended_with
from app.billing.closings.finding import Window, totals_of
from app.billing.closings.models import Closing, ClosingBook
from app.billing.closings.sealing import CLOSE, daily
from app.events.models import Due
from app.network.models import Operator

AT_A_TIME = 100
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


class ClosingFault(NamedTuple):
    """A closing that is not as it was sealed, or whose rows are not, and what is wrong."""

    operator: str
    kind: str
    number: int
    wrong: str


@dataclass(slots=True)
class _Last:
    """The closing before, of the kind."""

    closing: Closing | None = None
    grand_totals: Any = None


def examine(session: Session) -> Iterator[ClosingFault]:
    """Every fault of every operator's closings; nothing when all is well."""
    for book, name in session.execute(
        select(ClosingBook, Operator.name).join(Operator, Operator.id == ClosingBook.operator_id)
    ).all():
        for kind in KINDS:
            last = _Last(grand_totals=counters.none())
            for closing, wrong in _of_kind(session, book.operator_id, kind, last):
                yield ClosingFault(name, kind, closing.number, wrong)
            if _is_missing(session, book, kind, last.closing):
                number = last.closing.number + 1 if last.closing else 1
                yield ClosingFault(name, kind, number, "it was closed, and is not there")


def _of_kind(session: Session, operator_id: int, kind: str, last: _Last) -> Iterator[tuple[Closing, str]]:
    while batch := _after(session, operator_id, kind, last.closing):
        found = _recomputed(session, operator_id, batch)
        for closing, totals in zip(batch, found, strict=True):
            try:
                for wrong in _faults(closing, totals, last):
                    yield closing, wrong
            except UNREADABLE:
                yield closing, "its content cannot be read"
            last.closing = closing
        session.expunge_all()


def _after(session: Session, operator_id: int, kind: str, last: Closing | None) -> Sequence[Closing]:
    those = select(Closing).filter_by(operator_id=operator_id, kind=kind)
    those = those.where(Closing.number > (last.number if last else 0)).order_by(Closing.number)
    return session.scalars(those.limit(AT_A_TIME if kind == DAY else 1)).all()


def _recomputed(session: Session, operator_id: int, batch: Sequence[Closing]) -> list[content.Totals]:
    """Of days from what was recorded, of what is longer from its days."""
    if batch[0].kind == DAY:
        return totals_of(session, [Window(operator_id, closing.starts_at, closing.ends_at) for closing in batch])
    try:
        days = [json.loads(day.snapshot) for day in daily(session, operator_id, batch[0].first_day, batch[0].last_day)]
        return [content.of_days(days)]
    except UNREADABLE:
        return [content.Totals(counters.none(), {})]


def _faults(closing: Closing, found: content.Totals, last: _Last) -> Iterator[str]:
    said = json.loads(closing.snapshot)
    if content.hash_of(closing.snapshot) != closing.hash:
        yield "its content has another hash"
    if closing.previous_hash != (last.closing.hash if last.closing else None):
        yield "it does not name the hash of the one before"
    if closing.number != (last.closing.number if last.closing else 0) + 1:
        yield "numbers are missing before it"
    if last.closing and closing.starts_at != last.closing.ends_at:
        yield "it does not begin where the one before ends"
    columns = _columns(closing)
    yield from (f"{name} is not what its content says" for name in columns if columns[name] != said[name])
    yield from _sums(said, found, last)
    last.grand_totals = said["grand_totals"]


def _sums(said: dict[str, Any], found: content.Totals, last: _Last) -> Iterator[str]:
    for name in counters.PERIOD:
        if said["totals"][name] != found.tables[name]:
            yield f"{name} were {_amounts(said['totals'][name])}, and now are {_amounts(found.tables[name])}"
    for name in content.DIGESTS:
        if said["digests"][name] != found.digests.get(name):
            yield f"{name} are not those that it closed"
    if said["grand_totals"] != counters.grown(last.grand_totals, said["totals"]):
        yield "its grand totals do not follow from the one before"


def _columns(closing: Closing) -> dict[str, Any]:
    return {
        "kind": closing.kind,
        "number": closing.number,
        "first_day": closing.first_day.isoformat(),
        "last_day": closing.last_day.isoformat(),
        "starts_at": content.instant(closing.starts_at),
        "ends_at": content.instant(closing.ends_at),
        "previous_hash": closing.previous_hash,
    }


def _amounts(rows: Sequence[counters.Row]) -> str:
    """Rows in a few words: the numbers alone, which is where they differ."""
    said = (" ".join(str(value) for _, value in sorted(row.items()) if isinstance(value, int)) for row in rows)
    return " / ".join(said) or "none"


def _is_missing(session: Session, book: ClosingBook, kind: str, last: Closing | None) -> bool:
    """Whether a closing was removed from the end: days end with the line, unless they are behind; months with days."""
    closed_until = last.ends_at if last else begin_of(book.begins_on, ZoneInfo(book.timezone))
    if kind == DAY:
        return book.bounded_until > closed_until and not _is_behind(session, book)
    days = session.scalars(select(Closing.last_day).filter_by(operator_id=book.operator_id, kind=DAY))
    ends = (day for day in days if kind in ended_with(day))
    return max(ends, default=date.min) > (last.last_day if last else date.min)


def _is_behind(session: Session, book: ClosingBook) -> bool:
    """Whether days before the line are still to be sealed: the line is drawn one step before."""
    coming = session.get(Due, (CLOSE, book.operator_id))
    return coming is not None and (coming.at < book.bounded_until or coming.attempts > 0)
