"""What a resource asks of a booking before anybody looks for a free unit: one table, read from the top.

The order is the domain's: space open → resource open to this person (and at this hour by their plan, see
app.booking.access) → time in advance → duration and step → quotas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from app.booking.access import hours_on
from app.booking.hours import WeeklyHours
from app.booking.localtime import clock_instants, local_day
from app.errors import Invalid, Refused

AUDIENCES = ("anyone", "network", "members", "staff")
# Staff record what happened at the door while the connection was down, but do not rewrite last week.
STAFF_MAY_LOOK_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The booking rules of a resource, in minutes and days. None: no such limit.

    A start counts as past once the step it is in is over; with `approval`, as soon as it has come. With `pay_first` a
    booking that money covers, in whole or in part, is held until that has been paid, unless a team or an employer pays.
    """

    lead_minutes: int = 0
    horizon_days: int
    min_minutes: int
    max_minutes: int
    step_minutes: int
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    audience: str = "anyone"
    quota_day_minutes: int | None = None
    quota_week_minutes: int | None = None
    quota_month_minutes: int | None = None
    approval: bool = False
    pay_first: bool = False
    no_show_after_minutes: int | None = None

    def __post_init__(self) -> None:
        if self.audience not in AUDIENCES:
            raise Invalid.field("audience", f"must be one of {', '.join(AUDIENCES)}")
        if self.step_minutes < 1:
            raise Invalid.field("step_minutes", "must be at least one minute")
        if not 0 < self.min_minutes <= self.max_minutes:
            raise Invalid.field("min_minutes", "must be above zero and not above max_minutes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The facts about a person that rules ask for: who they are here, and what they have booked already.

    `access` are the access hours of the plans they hold here; none where one of these holds at any time.
    `suspended_since` is when the operator stopped taking new bookings from them, for what they have not paid; none when
    they move one they have. Minutes used are those of the local day, week (from Monday) and month in which the booking
    would start; a booking counts whole in the period it starts in. Other bookings only: leave out the one being moved.
    """

    in_network: bool = False
    is_member: bool = False
    access: tuple[WeeklyHours, ...] = ()
    is_staff: bool = False
    suspended_since: datetime | None = None
    used_day_minutes: int = 0
    used_week_minutes: int = 0
    used_month_minutes: int = 0

    def is_member_for(self, start: datetime, end: datetime) -> bool:
        """Whether a plan they hold here holds for all of `[start, end)`."""
        return self.is_member and (not self.access or any(hours.is_open(start, end) for hours in self.access))


class Case(NamedTuple):
    """One booking before the rules: instants in UTC, the start on the wall, and its length."""

    rules: Rules
    hours: WeeklyHours
    standing: Standing
    start: datetime
    end: datetime
    now: datetime
    local_start: datetime
    # Its length by the clock on the wall and as time that passes. They differ only across a clock change, where a
    # length is refused only if both are wrong: midnight to midnight is a day, whether 23, 24 or 25 hours pass.
    shorter: timedelta
    longer: timedelta


class Row(NamedTuple):
    """A rule: its stable name, whether a case breaks it, the limit to tell, and whether it holds for staff too."""

    rule: str
    broken: Callable[[Case], bool]
    limit: Callable[[Case], object]
    binds_staff: bool = False


def check(
    rules: Rules, hours: WeeklyHours, standing: Standing, *, start: datetime, end: datetime, now: datetime
) -> None:
    """Return if every rule lets this person book `[start, end)`, taking `now` as the present.

    Raises Refused with the first broken rule of `ROWS` and its limit; Invalid on `end` if the period is empty.
    """
    case = _case(rules, hours, standing, start.astimezone(UTC), end.astimezone(UTC), now.astimezone(UTC))
    if case.end <= case.start:
        raise Invalid.field("end", "must be after start")
    for row in _ROWS_FOR_STAFF if standing.is_staff else ROWS:
        if row.broken(case):
            raise Refused(rule=row.rule, limit=row.limit(case))


def buffered(rules: Rules, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The period a booking occupies: its own and the buffers around it (cleaning, airing), in UTC."""
    before, after = timedelta(minutes=rules.buffer_before_minutes), timedelta(minutes=rules.buffer_after_minutes)
    return start.astimezone(UTC) - before, end.astimezone(UTC) + after


def _case(rules: Rules, hours: WeeklyHours, standing: Standing, start: datetime, end: datetime, now: datetime) -> Case:
    local_start = start.astimezone(hours.zone).replace(tzinfo=None)
    on_the_wall, passing = end.astimezone(hours.zone).replace(tzinfo=None) - local_start, end - start
    shorter, longer = min(on_the_wall, passing), max(on_the_wall, passing)
    return Case(rules, hours, standing, start, end, now, local_start, shorter, longer)


def _closed(case: Case) -> bool:
    return not case.hours.is_open(case.start, case.end)


def _openings_of_the_day(case: Case) -> list[list[str]]:
    zone = case.hours.zone
    return [
        [start.astimezone(zone).isoformat(), end.astimezone(zone).isoformat()]
        for start, end in case.hours.opening_of(case.local_start.date())
    ]


_ADMITS: dict[str, Callable[[Standing, bool], bool]] = {
    "anyone": lambda standing, member: True,
    "network": lambda standing, member: standing.in_network or member,
    "members": lambda standing, member: member,
    "staff": lambda standing, member: standing.is_staff,
}


def _not_admitted(case: Case) -> bool:
    admits = _ADMITS[case.rules.audience]
    return not (
        admits(case.standing, False) or admits(case.standing, case.standing.is_member_for(case.start, case.end))
    )


def _plan_is_shut(case: Case) -> bool:
    """At an hour of their plan's they would be admitted."""
    return _not_admitted(case) and _ADMITS[case.rules.audience](case.standing, case.standing.is_member)


def _access_of_the_day(case: Case) -> list[list[str]]:
    return hours_on(case.local_start.date(), case.standing.access)


def _since_written(case: Case) -> str | None:
    since = case.standing.suspended_since
    return since.astimezone(case.hours.zone).isoformat(timespec="seconds") if since else None


def _earliest(case: Case) -> datetime:
    """Who walks in sits down at once: the step that runs may still be booked, unless somebody has to say yes first."""
    if case.standing.is_staff:
        return case.now - STAFF_MAY_LOOK_BACK
    return case.now if case.rules.approval else _start_of_running_step(case)


def _start_of_running_step(case: Case) -> datetime:
    """The latest `local midnight + n * step` that is not after `now`, counted on the wall."""
    wall = case.now.astimezone(case.hours.zone).replace(tzinfo=None)
    since_midnight = wall - wall.replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(minutes=case.rules.step_minutes)
    first, last = clock_instants(wall - since_midnight % step, case.hours.zone)
    return last if last <= case.now else first


def _earliest_written(case: Case) -> str:
    return _earliest(case).isoformat()


def _too_soon(case: Case) -> bool:
    """Without a lead time, `in_the_past` alone says how late one may come."""
    lead = timedelta(minutes=case.rules.lead_minutes)
    return bool(lead) and case.start < case.now + lead


def _days_ahead(case: Case) -> int:
    """Counted in local days, so that a whole day becomes bookable at midnight, not minute by minute."""
    return (case.local_start.date() - local_day(case.now, case.hours.zone)).days


def _too_short(case: Case) -> bool:
    return case.longer < timedelta(minutes=case.rules.min_minutes)


def _too_long(case: Case) -> bool:
    return case.shorter > timedelta(minutes=case.rules.max_minutes)


def _off_step(case: Case) -> bool:
    step = timedelta(minutes=case.rules.step_minutes)
    since_midnight = case.local_start - case.local_start.replace(hour=0, minute=0, second=0, microsecond=0)
    return bool(since_midnight % step or (case.shorter % step and case.longer % step))


def _quota(period: str) -> Row:
    """Minutes already used in the period and those of this booking, against the quota of one person."""
    quota, used = attrgetter(f"rules.quota_{period}_minutes"), attrgetter(f"standing.used_{period}_minutes")

    def used_up(case: Case) -> bool:
        minutes = quota(case)
        return minutes is not None and case.end - case.start > timedelta(minutes=minutes - used(case))

    return Row(f"quota_{period}", used_up, quota)


ROWS: tuple[Row, ...] = (
    Row("opening_hours", _closed, _openings_of_the_day, binds_staff=True),
    Row("access_hours", _plan_is_shut, _access_of_the_day),
    Row("audience", _not_admitted, attrgetter("rules.audience")),
    Row("suspended", lambda case: case.standing.suspended_since is not None, _since_written),
    Row("in_the_past", lambda case: case.start < _earliest(case), _earliest_written, binds_staff=True),
    Row("lead_time", _too_soon, attrgetter("rules.lead_minutes")),
    Row("horizon", lambda case: _days_ahead(case) > case.rules.horizon_days, attrgetter("rules.horizon_days")),
    Row("min_duration", _too_short, attrgetter("rules.min_minutes"), binds_staff=True),
    Row("max_duration", _too_long, attrgetter("rules.max_minutes"), binds_staff=True),
    Row("step", _off_step, attrgetter("rules.step_minutes"), binds_staff=True),
    _quota("day"),
    _quota("week"),
    _quota("month"),
)
_ROWS_FOR_STAFF = tuple(row for row in ROWS if row.binds_staff)
