from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.booking.hours import Opening, WeeklyHours
from app.booking.rules import ROWS, Rules, Standing, buffered, check
from app.errors import Invalid, Refused

BRUSSELS = ZoneInfo("Europe/Brussels")
OFFICE_HOURS = WeeklyHours(BRUSSELS, tuple(Opening(weekday, time(8), time(18)) for weekday in range(5)))
ALWAYS = WeeklyHours(BRUSSELS, tuple(Opening(weekday, time(0), time(0)) for weekday in range(7)))
MEMBER = Standing(in_network=True, is_member=True)
STRANGER = Standing()
STAFF = Standing(is_staff=True)


def rules_of(**changes: Any) -> Rules:
    plain: dict[str, Any] = {"horizon_days": 30, "min_minutes": 30, "max_minutes": 480, "step_minutes": 15}
    return Rules(**{**plain, **changes})


def local(text: str) -> datetime:
    """A time on the wall of Brussels; of two, the first."""
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS).astimezone(UTC)


NOW = local("2026-03-02 07:30")  # a Monday


def refusal(
    rules: Rules,
    *,
    start: str = "2026-03-02 09:00",
    end: str = "2026-03-02 10:00",
    standing: Standing = MEMBER,
    hours: WeeklyHours = OFFICE_HOURS,
    now: datetime = NOW,
) -> tuple[str, object] | None:
    """The rule that refuses and its limit, or None where the booking is fine."""
    try:
        check(rules, hours, standing, start=local(start), end=local(end), now=now)
    except Refused as refused:
        return refused.rule, refused.limit
    return None


def test_a_booking_within_every_rule_passes() -> None:
    assert refusal(rules_of()) is None


@pytest.mark.parametrize("end", ["2026-03-02 08:30", "2026-03-02 09:00"])
def test_a_period_without_length_is_invalid_not_refused(end: str) -> None:
    with pytest.raises(Invalid) as error:
        refusal(rules_of(), end=end)
    assert error.value.facts["errors"][0]["field"] == "end"


@pytest.mark.parametrize(
    ("start", "end", "openings"),
    [
        pytest.param(
            "2026-03-02 17:30",
            "2026-03-02 18:30",
            [["2026-03-02T08:00:00+01:00", "2026-03-02T18:00:00+01:00"]],
            id="beyond closing: the hours of that day",
        ),
        pytest.param("2026-03-07 10:00", "2026-03-07 11:00", [], id="closed that day: no hours"),
        pytest.param(
            "2026-03-30 17:30",
            "2026-03-30 18:30",
            [["2026-03-30T08:00:00+02:00", "2026-03-30T18:00:00+02:00"]],
            id="after the clock change: the new offset",
        ),
    ],
)
def test_outside_opening_hours_the_limit_is_the_openings_of_that_local_day(
    start: str, end: str, openings: list[list[str]]
) -> None:
    assert refusal(rules_of(), start=start, end=end) == ("opening_hours", openings)


@pytest.mark.parametrize(
    ("audience", "standing", "admitted"),
    [
        pytest.param("anyone", STRANGER, True, id="anyone admits a stranger"),
        pytest.param("network", STRANGER, False, id="network refuses a stranger"),
        pytest.param("network", Standing(in_network=True), True, id="network admits its own"),
        pytest.param("network", Standing(is_member=True), True, id="network admits a member"),
        pytest.param("members", Standing(in_network=True), False, id="members refuses the rest of the network"),
        pytest.param("members", MEMBER, True, id="members admits a member"),
        pytest.param("staff", MEMBER, False, id="staff refuses a member"),
        pytest.param("staff", STAFF, True, id="staff admits staff"),
        pytest.param("members", STAFF, True, id="staff are admitted everywhere"),
    ],
)
def test_a_resource_is_open_to_its_audience(audience: str, standing: Standing, admitted: bool) -> None:
    expected = None if admitted else ("audience", audience)
    assert refusal(rules_of(audience=audience), standing=standing) == expected


@pytest.mark.parametrize(
    ("changes", "booking", "expected"),
    [
        pytest.param({"lead_minutes": 90}, {}, None, id="lead time just kept"),
        pytest.param({"lead_minutes": 91}, {}, ("lead_time", 91), id="lead time missed by a minute"),
        pytest.param(
            {}, {"start": "2026-04-01 09:00", "end": "2026-04-01 10:00"}, None, id="the last day of the horizon"
        ),
        pytest.param(
            {},
            {"start": "2026-04-02 08:00", "end": "2026-04-02 09:00"},
            ("horizon", 30),
            id="the day after the horizon",
        ),
        pytest.param(
            {},
            {"now": local("2026-03-02 09:14:59")},
            None,
            id="the running step",
        ),
        pytest.param(
            {},
            {"now": local("2026-03-02 09:15")},
            ("in_the_past", "2026-03-02T08:15:00+00:00"),
            id="a step that is over",
        ),
        pytest.param(
            {"step_minutes": 40},
            {"start": "2026-03-02 09:20", "end": "2026-03-02 10:00", "now": local("2026-03-02 09:59:59")},
            None,
            id="steps are counted from midnight",
        ),
        pytest.param(
            {"approval": True},
            {"now": local("2026-03-02 09:00:01")},
            ("in_the_past", "2026-03-02T08:00:01+00:00"),
            id="a request comes before its start",
        ),
        pytest.param(
            {"lead_minutes": 1}, {"now": local("2026-03-02 09:07")}, ("lead_time", 1), id="a lead time still binds"
        ),
        pytest.param({}, {"now": local("2026-03-02 09:00")}, None, id="a start right now"),
        pytest.param(
            {"lead_minutes": 60},
            {"now": local("2026-03-02 12:00")},
            ("in_the_past", "2026-03-02T11:00:00+00:00"),
            id="the past is named before the lead time",
        ),
        pytest.param({"min_minutes": 60}, {}, None, id="the shortest"),
        pytest.param({"min_minutes": 61}, {}, ("min_duration", 61), id="too short"),
        pytest.param({"max_minutes": 60}, {}, None, id="the longest"),
        pytest.param({"max_minutes": 59}, {}, ("max_duration", 59), id="too long"),
        pytest.param({"step_minutes": 60}, {}, None, id="on the step"),
        pytest.param(
            {"step_minutes": 60},
            {"start": "2026-03-02 09:30", "end": "2026-03-02 10:30"},
            ("step", 60),
            id="a start off the step",
        ),
        pytest.param({"step_minutes": 60}, {"end": "2026-03-02 10:30"}, ("step", 60), id="a length off the step"),
        pytest.param(
            {},
            {"start": "2026-03-02 09:00:30", "end": "2026-03-02 10:00:30"},
            ("step", 15),
            id="a start at half a minute",
        ),
        pytest.param({"step_minutes": 1}, {"end": "2026-03-02 10:00:01"}, ("step", 1), id="a second too long"),
    ],
)
def test_time_rules_hold_to_the_minute(changes: dict, booking: dict, expected: object) -> None:
    assert refusal(rules_of(**changes), **booking) == expected


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize(
    ("used", "refused"), [pytest.param(60, False, id="just fits"), pytest.param(61, True, id="a minute over")]
)
def test_a_quota_counts_what_is_used_and_what_is_asked(period: str, used: int, refused: bool) -> None:
    rules = rules_of(**{f"quota_{period}_minutes": 120})
    facts: dict[str, Any] = {f"used_{period}_minutes": used}
    standing = Standing(is_member=True, **facts)
    assert refusal(rules, standing=standing) == ((f"quota_{period}", 120) if refused else None)


def test_who_is_suspended_is_told_since_when_and_staff_book_all_the_same() -> None:
    since = datetime(2026, 2, 1, 7, tzinfo=UTC)
    told = ("suspended", "2026-02-01T08:00:00+01:00")
    assert refusal(rules_of(), standing=Standing(suspended_since=since)) == told
    assert refusal(rules_of(), standing=Standing(suspended_since=since, is_staff=True)) is None


EVERYTHING_WRONG = rules_of(
    audience="staff",
    lead_minutes=10**6,
    horizon_days=-1,
    min_minutes=7,
    max_minutes=7,
    step_minutes=7,
    quota_day_minutes=0,
    quota_week_minutes=0,
    quota_month_minutes=0,
)


def test_rules_are_read_in_the_order_of_the_domain() -> None:
    assert [row.rule for row in ROWS] == [
        "opening_hours",
        "access_hours",
        "audience",
        "suspended",
        "in_the_past",
        "lead_time",
        "horizon",
        "min_duration",
        "max_duration",
        "step",
        "quota_day",
        "quota_week",
        "quota_month",
    ]
    assert refusal(EVERYTHING_WRONG, end="2026-03-02 22:00") == (
        "opening_hours",
        [["2026-03-02T08:00:00+01:00", "2026-03-02T18:00:00+01:00"]],
    )
    assert refusal(EVERYTHING_WRONG) == ("audience", "staff")


def test_staff_are_held_by_hours_length_and_step_only() -> None:
    generous = rules_of(
        audience="members", lead_minutes=10**6, horizon_days=0, quota_day_minutes=0, quota_week_minutes=0
    )
    assert refusal(generous, standing=STAFF, start="2026-05-04 09:00", end="2026-05-04 10:00") is None
    assert refusal(EVERYTHING_WRONG, standing=STAFF) == ("max_duration", 7)
    assert refusal(rules_of(), standing=STAFF, start="2026-03-07 09:00", end="2026-03-07 10:00") == (
        "opening_hours",
        [],
    )


def test_staff_may_record_yesterday_but_not_the_day_before() -> None:
    now = local("2026-03-03 09:00")
    assert refusal(rules_of(), standing=STAFF, now=now) is None
    late = refusal(rules_of(), standing=STAFF, now=now + timedelta(seconds=1))
    assert late == ("in_the_past", "2026-03-02T08:00:01+00:00")


@pytest.mark.parametrize(
    ("now", "runs_since"),
    [
        pytest.param("2026-03-29T01:10:00+00:00", "2026-03-29T01:00:00+00:00", id="after the clock jumped to three"),
        pytest.param("2026-10-25T00:10:00+00:00", "2026-10-25T00:00:00+00:00", id="the first half past two"),
        pytest.param("2026-10-25T01:10:00+00:00", "2026-10-25T01:00:00+00:00", id="the second"),
    ],
)
def test_the_running_step_is_counted_on_the_wall_while_the_clock_changes(now: str, runs_since: str) -> None:
    moment, start = datetime.fromisoformat(now), datetime.fromisoformat(runs_since)
    rules = rules_of(step_minutes=30, horizon_days=365)
    check(rules, ALWAYS, MEMBER, start=start, end=start + timedelta(minutes=30), now=moment)
    with pytest.raises(Refused) as refused:
        before = start - timedelta(minutes=30)
        check(rules, ALWAYS, MEMBER, start=before, end=before + timedelta(minutes=60), now=moment)
    assert (refused.value.rule, refused.value.limit) == ("in_the_past", runs_since)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-01"])
def test_midnight_to_midnight_is_one_day_whatever_the_clock_does(day: str) -> None:
    by_the_day = rules_of(min_minutes=1440, max_minutes=1440, step_minutes=1440, horizon_days=365)
    after = date.fromisoformat(day) + timedelta(days=1)
    assert refusal(by_the_day, hours=ALWAYS, start=f"{day} 00:00", end=f"{after} 00:00") is None


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_the_step_is_counted_on_the_wall_after_the_clock_has_changed(day: str) -> None:
    halves = rules_of(step_minutes=240, max_minutes=240, horizon_days=365)
    assert refusal(halves, hours=ALWAYS, start=f"{day} 08:00", end=f"{day} 12:00") is None
    assert refusal(halves, hours=ALWAYS, start=f"{day} 09:00", end=f"{day} 13:00") == ("step", 240)


def test_an_hour_that_passes_while_the_clock_goes_back_is_an_hour() -> None:
    start = local("2026-10-25 02:30")
    check(rules_of(horizon_days=365), ALWAYS, MEMBER, start=start, end=start + timedelta(hours=1), now=NOW)


def test_instants_given_in_the_zone_of_the_space_count_the_time_that_passes() -> None:
    """Two instants of one zone subtract by the wall clock in Python; the quota must not."""
    start, end = (datetime(2026, 10, 25, hour, tzinfo=BRUSSELS) for hour in (1, 4))
    rules = rules_of(quota_day_minutes=239, horizon_days=365)
    with pytest.raises(Refused, match="quota_day"):
        check(rules, ALWAYS, MEMBER, start=start, end=end, now=NOW)


def test_buffers_widen_what_a_booking_occupies() -> None:
    rules = rules_of(buffer_before_minutes=10, buffer_after_minutes=20)
    occupied = buffered(rules, local("2026-03-02 09:00"), local("2026-03-02 10:00"))
    assert occupied == (local("2026-03-02 08:50"), local("2026-03-02 10:20"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"audience": "friends"}, "audience", id="an unknown audience"),
        pytest.param({"step_minutes": 0}, "step_minutes", id="no step"),
        pytest.param({"min_minutes": 0}, "min_minutes", id="no shortest length"),
        pytest.param({"min_minutes": 60, "max_minutes": 30}, "min_minutes", id="shortest above longest"),
    ],
)
def test_rules_that_nobody_could_keep_are_refused(changes: dict, field: str) -> None:
    with pytest.raises(Invalid) as error:
        rules_of(**changes)
    assert error.value.facts["errors"][0]["field"] == field
