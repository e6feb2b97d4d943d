"""Quotes that hold for five minutes: kept when asked for, found again when booking.

Writing is one raw statement, so that keeping a promise does not slow the question down; it names whose it is. A quote
may be used until it expires, also twice: it promises a price, not a place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.cover import Cover
from app.booking.models import Quote
from app.booking.planning import Plan
from app.booking.promises import Promised
from app.booking.recurrence import shape
from app.booking.wishes import Wish
from app.db import Statement
from app.errors import Invalid
from app.events.envelope import instant
from app.ids import new_id
from app.network.people import Person

HOLDS = timedelta(minutes=5)
ANEW = "ask for a new quote, or leave quote_id out to book at today's price"

_KEEP = Statement(
    """
    INSERT INTO quote (uid, member_id, space_id, wish, dates, expires_at)
    VALUES (:uid, :member, :space, CAST(:wish AS jsonb), CAST(:dates AS jsonb), :expires_at)
    """
)


@dataclass(frozen=True, slots=True)
class Kept:
    uid: UUID
    expires_at: datetime


def keep(session: Session, wish: Wish, plans: Sequence[Plan], *, person: Person, now: datetime) -> Kept:
    """Promise `person` these plans of `wish` for five minutes. Of a recurrence, prices and terms are promised; its
    dates share the credit that there is."""
    kept = Kept(new_id(), now + HOLDS)
    dates = [_promise(planned, with_cover=wish.recurrence is None).to_json() for planned in plans]
    parameters = {
        "uid": kept.uid,
        "member": person.member_id,
        "space": plans[0].offer.space_id,
        "wish": json.dumps(_shape(wish)),
        "dates": json.dumps(dates),
        "expires_at": kept.expires_at,
    }
    _KEEP.run(session, parameters)
    return kept


def _promise(planned: Plan, *, with_cover: bool) -> Promised:
    prices = tuple(line.price for line in planned.lines)
    cover = Cover(planned.cover, planned.drawn) if with_cover else None
    return Promised(planned.start, planned.end, prices, planned.cancellation, cover)


def promised(
    session: Session, quote_id: UUID | None, wish: Wish, *, person: Person, now: datetime
) -> dict[datetime, Promised]:
    """What the quote promises of each date of `wish`, by its start; nothing without a quote.

    Raises Invalid: on `quote_id` when it is unknown, somebody else's or has expired; on what is wished otherwise than
    quoted.
    """
    if quote_id is None:
        return {}
    quote = session.scalars(select(Quote).where(Quote.uid == quote_id)).one_or_none()
    if quote is None or quote.member_id != person.member_id:
        raise Invalid.field("quote_id", f"is no quote for this person, or one long expired: {ANEW}")
    if now >= quote.expires_at:
        raise Invalid.field("quote_id", f"expired at {instant(quote.expires_at)}: {ANEW}")
    for name, value in _shape(wish).items():
        if quote.wish[name] != value:
            raise Invalid.field(name, f"is not what was quoted: {ANEW}")
    dates = (Promised.from_json(row) for row in quote.dates)
    return {date.start: date for date in dates}


def _shape(wish: Wish) -> dict[str, Any]:
    """What of a wish decides its price; a title does not."""
    return {
        "resource_id": str(wish.resource_id),
        "start": instant(wish.start),
        "end": instant(wish.end),
        "extras": [str(uid) for uid in wish.extras],
        "cover": list(wish.cover),
        "recurrence": shape(wish.recurrence) if wish.recurrence else None,
    }
