"""What a membership follows on a day: which version of a plan, whether it runs, whether the day is to be paid.

Rows are taken as they are in the database (MembershipTerm, MembershipPause), or anything with the same fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol


class Term(Protocol):
    """From `from_day` on, this version; `id` grows with every row written."""

    @property
    def id(self) -> Any: ...
    @property
    def from_day(self) -> Any: ...
    @property
    def plan_version_id(self) -> Any: ...


class Pause(Protocol):
    """Days, both counted; no end: until further notice."""

    @property
    def from_day(self) -> Any: ...
    @property
    def until_day(self) -> Any: ...


def version_on(day: date, *, first: int, terms: Iterable[Term]) -> int:
    """The plan version of `day`: that of the latest term begun by then, of two begun on a day the one written last;
    `first`, what was signed at the start, where none has."""
    begun = [term for term in terms if term.from_day <= day]
    if not begun:
        return first
    latest: int = max(begun, key=lambda term: (term.from_day, term.id)).plan_version_id
    return latest


def paused_on(day: date, pauses: Iterable[Pause]) -> bool:
    return any(pause.from_day <= day and (pause.until_day is None or day <= pause.until_day) for pause in pauses)


class Step(NamedTuple):
    """A term as a value; one that is not written yet comes after all that are."""

    from_day: date
    plan_version_id: int
    id: int = 2**63


class Stretch(NamedTuple):
    """A pause as a value."""

    from_day: date
    until_day: date | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that decides what a membership is on a day. `free_until` is the last day of its trial, if it has one: free
    as long as it follows the version signed first."""

    starts_on: date
    ends_on: date | None
    first: int
    terms: tuple[Step, ...] = ()
    pauses: tuple[Stretch, ...] = ()
    free_until: date | None = None

    def version_on(self, day: date) -> int:
        """The version it follows on `day`, whether or not it runs then."""
        return version_on(day, first=self.first, terms=self.terms)

    def runs_on(self, day: date) -> bool:
        """Whether it can be used: begun, not over, not paused."""
        within = self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)
        return within and not paused_on(day, self.pauses)

    def has_ended_by(self, day: date) -> bool:
        return self.ends_on is not None and self.ends_on < day

    def charged_on(self, day: date) -> int | None:
        """The version whose price the day is charged at; None for a day that costs nothing."""
        if not self.runs_on(day):
            return None
        version = self.version_on(day)
        on_trial = self.free_until is not None and day <= self.free_until and version == self.first
        return None if on_trial else version
