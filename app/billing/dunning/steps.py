"""The schedule of an operator's reminders: which step an invoice is at, and which is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from app.errors import Invalid

ACTIONS = ("reminder", "formal_notice", "suspension")
MOST_STEPS = 8
LATEST_DAY = 365


class Step(NamedTuple):
    """`after_days` days after the due day, do `action`; with `claims` what the law adds is claimed and invoiced."""

    after_days: int
    action: str
    claims: bool = False


# A friendly word first, which the law of both countries lets be free, and time to pay before anything is claimed.
USUAL = (Step(5, "reminder"), Step(20, "reminder"), Step(35, "formal_notice", claims=True), Step(50, "suspension"))


class Done(NamedTuple):
    """A step that was taken: its number, from 1, when, and what was claimed with it."""

    no: int
    day: date
    interest_cents: int = 0
    compensation_cents: int = 0


def checked(rows: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """A schedule as it was asked for. Raises Invalid naming the step."""
    if len(rows) > MOST_STEPS:
        raise Invalid.field("steps", f"must be at most {MOST_STEPS}")
    steps = tuple(Step(row["after_days"], row["action"], bool(row.get("claims"))) for row in rows)
    for no, step in enumerate(steps):
        before = steps[no - 1].after_days if no else 0
        for holds, field, remedy in (
            (before < step.after_days <= LATEST_DAY, "after_days", f"must be {before + 1} to {LATEST_DAY}"),
            (step.action in ACTIONS, "action", f"must be one of {', '.join(ACTIONS)}"),
            (no > 0 or not step.claims, "claims", "must be false: the first reminder is free"),
        ):
            if not holds:
                raise Invalid.field(f"steps.{no}.{field}", remedy)
    return steps


def next_step(steps: Sequence[Step], done: Sequence[Done], *, due_on: date, day: date) -> tuple[int, Step] | None:
    """The step to take on `day`, with its number from 1; None when it is too early, or nothing is left to do.

    Steps are taken in order, one a day at most, and never closer together than the schedule has them: whoever begins to
    remind late does not send three letters at once.
    """
    taken = max((each.no for each in done), default=0)
    if taken >= len(steps):
        return None
    step = steps[taken]
    ripe_on = due_on + timedelta(days=step.after_days)
    if taken:
        apart = step.after_days - steps[taken - 1].after_days
        ripe_on = max(ripe_on, max(each.day for each in done) + timedelta(days=apart))
    return (taken + 1, step) if day >= ripe_on else None
