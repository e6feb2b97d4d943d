"""What it would cost the member to cancel a booking, by the terms frozen in it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from app.booking import cancellation
from app.booking.cancellation import Step, Terms
from app.booking.cover import money_cents
from app.booking.giving_up import fee_of
from app.money import round_half_up

FREE = cancellation.terms_to_json(cancellation.ALWAYS_FREE)
OPEN = ("held", "pending", "confirmed")  # may still be moved or cancelled


def fee(booking: Any, *, now: datetime) -> int:
    """What it costs the member to cancel at `now`, in cents: a part of what is covered by money, and what is owed
    already for parts given up late.

    A booking moved late keeps the fee it would have cost then (`least_fee_cents`), so that moving is no way around.
    """
    by_terms = round_half_up(money_cents(booking.cover) * fee_percent(booking, now=now), 100)
    return max(by_terms + fee_of(booking.terms.get("given_up", ())), booking.terms.get("least_fee_cents", 0))


def change_fee(booking: Any) -> int:
    """What is owed beside the price for what its member gave up of it too late (app.booking.giving_up)."""
    cents: int = booking.terms.get("change_fee_cents", 0)
    return cents


def is_late(booking: Any, *, now: datetime) -> bool:
    """Whether the member who cancels at `now` loses the credits drawn: too late by the terms, or moved too late."""
    return fee_percent(booking, now=now) > 0 or bool(booking.terms.get("moved_late"))


def fee_percent(booking: Any, *, now: datetime) -> int:
    """By the frozen terms; nothing before the space has said yes."""
    if booking.status != "confirmed":
        return 0
    return cancellation.fee_percent(_terms(booking), start=booking.starts_at, now=now)


def free_until(booking: Any) -> datetime | None:
    """The last instant at which cancelling costs nothing and credits come back; None when there is none any more, or
    when nobody has said yes yet."""
    if booking.status != "confirmed" or booking.terms.get("moved_late") or booking.terms.get("least_fee_cents"):
        return None
    return cancellation.free_until(_terms(booking), start=booking.starts_at)


def _terms(booking: Any) -> Terms:
    steps = booking.terms.get("cancellation") or FREE  # none were written down: it was free
    return _known_terms(tuple((step["hours_before"], step["percent"]) for step in steps))


@lru_cache(maxsize=1024)
def _known_terms(steps: tuple[tuple[int, int], ...]) -> Terms:
    """Most bookings share their terms: they are judged once."""
    return Terms(tuple(Step(hours, percent) for hours, percent in steps))
