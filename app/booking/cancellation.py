"""What a cancellation costs, by how long before the start it comes. The terms freeze in the booking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import Invalid
from app.money import round_half_up

_SHAPE = "write a list of {hours_before, percent} in whole numbers"


@dataclass(frozen=True, slots=True)
class Step:
    """Cancelling at least `hours_before` hours before the start keeps `percent` of the price."""

    hours_before: int
    percent: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Steps from the earliest to the last, which has 0 hours and also holds after the start.

    ((24, 0), (2, 50), (0, 100)): free until 24 hours before, half until two hours before, then all of it.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        hours = [step.hours_before for step in self.steps]
        percents = [step.percent for step in self.steps]
        for holds, remedy in (
            (hours and hours[-1] == 0, "the last step must be at 0 hours"),
            (hours == sorted(set(hours), reverse=True), "hours_before must fall from step to step"),
            (percents == sorted(percents), "cancelling later must not cost less"),
            (all(0 <= percent <= 100 for percent in percents), "percent must be 0 to 100"),
        ):
            if not holds:
                raise Invalid.field("cancellation", remedy)


ALWAYS_FREE = Terms((Step(0, 0),))


def fee_percent(terms: Terms, *, start: datetime, now: datetime) -> int:
    """The percentage kept when a booking that starts at `start` is cancelled at `now`."""
    notice = start.astimezone(UTC) - now.astimezone(UTC)
    kept = (step.percent for step in terms.steps if notice >= timedelta(hours=step.hours_before))
    return next(kept, terms.steps[-1].percent)


def free_until(terms: Terms, *, start: datetime) -> datetime | None:
    """The last instant at which cancelling costs nothing; None where it always costs. Terms that are free throughout
    are free until the start."""
    free = [step.hours_before for step in terms.steps if step.percent == 0]
    return start.astimezone(UTC) - timedelta(hours=free[-1]) if free else None


def fee_cents(terms: Terms, price_cents: int, *, start: datetime, now: datetime) -> int:
    """What is kept of `price_cents`, half-up to the cent."""
    return round_half_up(price_cents * fee_percent(terms, start=start, now=now), 100)


def minutes_returned(terms: Terms, *, start: datetime, now: datetime) -> bool:
    """Whether credits and passes go back to where they came from: only a cancellation in time, free of any fee."""
    return fee_percent(terms, start=start, now=now) == 0


def terms_to_json(terms: Terms) -> list[dict[str, int]]:
    """The terms as they are kept in a booking."""
    return [{"hours_before": step.hours_before, "percent": step.percent} for step in terms.steps]


def terms_from_json(data: object) -> Terms:
    """The terms read back, or from outside. Raises Invalid on `cancellation` with the remedy."""
    if not isinstance(data, list):
        raise Invalid.field("cancellation", _SHAPE)
    return Terms(tuple(_step_from_json(item) for item in data))


def _step_from_json(item: Any) -> Step:
    # type(), not isinstance: True is an int to Python, but not a number of hours.
    if (
        not isinstance(item, dict)
        or set(item) != {"hours_before", "percent"}
        or any(type(value) is not int for value in item.values())
    ):
        raise Invalid.field("cancellation", _SHAPE)
    # A million hours is over a century: beyond it a timedelta overflows sooner or later.
    if not 0 <= item["hours_before"] <= 1_000_000:
        raise Invalid.field("cancellation", "hours_before must be 0 to 1000000")
    return Step(item["hours_before"], item["percent"])
