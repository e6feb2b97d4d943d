"""What follows from an answer, or from none: delivered, again later, or over. Pure.

The pauses are those that Standard Webhooks recommends; ten attempts in three days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# How long after the attempt before it each attempt comes. The first comes at once.
PAUSES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.2  # each pause is up to a fifth longer, so that what failed together does not come again together
LONGEST = timedelta(hours=24)  # that a receiver can ask for
ASKS_TO_WAIT = {429, 503}
GONE = 410
FAILING_FOR = timedelta(days=5)  # without one success, and a receiver is disabled


@dataclass(frozen=True, slots=True)
class Next:
    """The delivery's state after an attempt, and when the next one comes, if any does."""

    state: str  # delivered, failed (and tried again at `at`) or given_up
    at: datetime | None = None


def after(status: int | None, headers: Mapping[str, str], *, attempt: int, now: datetime, chance: float) -> Next:
    """What follows from attempt number `attempt`, the first being 1, that ended at `now` with a status or without any.

    Success is 2xx and nothing else: a redirect is not followed. 410 ends it. `chance` is a random number from 0 to 1.
    With 429 and 503 a receiver may ask for a longer pause than the schedule has, never for a shorter one.
    """
    if status is not None and 200 <= status < 300:
        return Next("delivered")
    if status == GONE or attempt >= len(PAUSES):
        return Next("given_up")
    pause = PAUSES[attempt] * (1 + JITTER * chance)
    if status in ASKS_TO_WAIT:
        pause = max(pause, min(asked_for(headers.get("retry-after", ""), now=now), LONGEST))
    return Next("failed", now + pause)


def is_failing_too_long(failing_since: datetime | None, *, now: datetime) -> bool:
    return failing_since is not None and now - failing_since >= FAILING_FOR


def asked_for(retry_after: str, *, now: datetime) -> timedelta:
    """The pause that a Retry-After asks for, in seconds or as a date (RFC 9110, 10.2.3); none for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), LONGEST.total_seconds()))
    try:
        until = parsedate_to_datetime(text)
        return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta(0))
    except (TypeError, ValueError, OverflowError):
        return timedelta(0)
