"""What a timeline owes, and what is asked for when it changes: the sum is always what the last timeline says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.network.memberships.owed import Part, Tariff, Tariffs, difference, last_of_cycle, owed
from app.network.memberships.terms import Step, Stretch, Timeline, paused_on, version_on

HALF, FULL, WEEKLY, YEARLY = 1, 2, 3, 4
TARIFFS: Tariffs = {
    HALF: Tariff(HALF, 10_000, "month", 1, "calendar"),
    FULL: Tariff(FULL, 12_001, "month", 1, "start"),
    WEEKLY: Tariff(WEEKLY, 999, "week", 1, "calendar"),
    YEARLY: Tariff(YEARLY, 100_000, "term", 12, "start"),
}


def d(text: str) -> date:
    return date.fromisoformat(text)


def told(parts: list[Part]) -> list[tuple[int, str, str, int, int, int]]:
    return [
        (part.version_id, str(part.first), str(part.last), part.days, part.cycle.days, part.cents) for part in parts
    ]


APRIL = (d("2026-04-01"), d("2026-04-30"))
MEMBER = Timeline(starts_on=d("2026-01-10"), ends_on=None, first=HALF)


def test_a_switch_on_day_15_bills_14_and_16_of_30() -> None:
    switched = replace(MEMBER, terms=(Step(d("2026-04-15"), FULL, 1),))
    assert told(owed(switched, {**TARIFFS, FULL: TARIFFS[HALF]._replace(version_id=FULL)}, *APRIL)) == [
        (HALF, "2026-04-01", "2026-04-14", 14, 30, 4_667),
        (FULL, "2026-04-15", "2026-04-30", 16, 30, 5_333),
    ]


def test_a_switch_after_the_month_was_asked_for_gives_back_and_asks_by_day() -> None:
    switched = replace(MEMBER, terms=(Step(d("2026-04-15"), WEEKLY, 1),))
    assert told(difference(MEMBER, switched, TARIFFS, d("2026-04-30"))) == [
        (HALF, "2026-04-15", "2026-04-30", 16, 30, -5_333),
        (WEEKLY, "2026-04-15", "2026-04-19", 5, 7, 714),
        (WEEKLY, "2026-04-20", "2026-04-26", 7, 7, 999),
        (WEEKLY, "2026-04-27", "2026-04-30", 4, 7, 571),
    ]
    assert told(owed(switched, TARIFFS, d("2026-05-01"), d("2026-05-03"))) == [
        (WEEKLY, "2026-05-01", "2026-05-03", 3, 7, 428)
    ], "the rest of the week that was begun"


def test_a_pause_takes_its_days_out_and_a_resumption_puts_them_back() -> None:
    paused = replace(MEMBER, pauses=(Stretch(d("2026-04-11"), None),))
    resumed = replace(MEMBER, pauses=(Stretch(d("2026-04-11"), d("2026-04-20")),))
    assert told(difference(MEMBER, paused, TARIFFS, d("2026-04-30"))) == [
        (HALF, "2026-04-11", "2026-04-30", 20, 30, -6_667)
    ]
    assert told(difference(paused, resumed, TARIFFS, d("2026-04-30"))) == [
        (HALF, "2026-04-21", "2026-04-30", 10, 30, 3_334)
    ]
    assert told(owed(resumed, TARIFFS, *APRIL)) == [
        (HALF, "2026-04-01", "2026-04-10", 10, 30, 3_333),
        (HALF, "2026-04-21", "2026-04-30", 10, 30, 3_334),
    ]


def test_one_day_is_one_day() -> None:
    day = d("2026-04-17")
    assert told(owed(Timeline(starts_on=day, ends_on=day, first=HALF), TARIFFS, day, d("2026-04-30"))) == [
        (HALF, "2026-04-17", "2026-04-17", 1, 30, 333)
    ]


def test_a_day_in_the_middle_of_a_month_and_a_week_are_right_to_the_cent_by_themselves() -> None:
    for first, last, cents in (("2026-04-17", "2026-04-17", 333), ("2026-04-13", "2026-04-19", 2_333)):
        short = Timeline(starts_on=d(first), ends_on=d(last), first=HALF)
        assert [part.cents for part in owed(short, TARIFFS, d(first), d("2026-04-30"))] == [cents]


def test_a_year_signed_on_29_february_renews_on_the_28th() -> None:
    signed = Timeline(starts_on=d("2028-02-29"), ends_on=None, first=YEARLY)
    years = [(part.days, part.cents) for part in owed(signed, TARIFFS, d("2028-02-29"), d("2030-02-27"))]
    assert years == [(365, 100_000), (365, 100_000)]
    day = owed(signed, TARIFFS, d("2028-02-29"), d("2028-02-29"))
    assert told(day) == [(YEARLY, "2028-02-29", "2028-02-29", 1, 365, 274)]


def test_the_days_of_a_trial_are_free_as_long_as_it_follows_what_was_tried() -> None:
    tried = Timeline(starts_on=d("2026-04-01"), ends_on=None, first=HALF, free_until=d("2026-04-07"))
    assert told(owed(tried, TARIFFS, *APRIL)) == [(HALF, "2026-04-08", "2026-04-30", 23, 30, 7_667)]
    changed = replace(tried, terms=(Step(d("2026-04-03"), WEEKLY, 1),))
    assert told(owed(changed, TARIFFS, d("2026-04-01"), d("2026-04-05"))) == [
        (WEEKLY, "2026-04-03", "2026-04-05", 3, 7, 428)
    ]


def test_of_two_terms_of_a_day_the_one_written_last_holds() -> None:
    steps = [Step(d("2026-04-15"), FULL, 8), Step(d("2026-04-15"), WEEKLY, 9), Step(d("2026-05-01"), YEARLY, 7)]
    days = ("2026-04-14", "2026-04-15", "2026-04-30", "2026-05-01")
    assert [version_on(d(day), first=HALF, terms=steps) for day in days] == [HALF, WEEKLY, WEEKLY, YEARLY]


def test_both_days_of_a_pause_are_paused() -> None:
    pauses = [Stretch(d("2026-04-02"), d("2026-04-03")), Stretch(d("2026-06-01"), None)]
    days = ("2026-04-01", "2026-04-02", "2026-04-03", "2026-04-04", "2027-01-01")
    assert [paused_on(d(day), pauses) for day in days] == [False, True, True, False, True]


# --- any history

DAYS = st.dates(d("2026-01-10"), d("2026-06-30"))
CHANGES = st.one_of(
    st.tuples(st.just("term"), DAYS, st.sampled_from(list(TARIFFS))),
    st.tuples(st.just("pause"), DAYS, st.integers(0, 40)),
    st.tuples(st.just("end"), DAYS, st.just(0)),
    st.tuples(st.just("extend"), DAYS, st.just(0)),
)


def changed(timeline: Timeline, change: tuple[str, date, int], number: int) -> Timeline:
    kind, day, value = change
    if kind == "term":
        return replace(timeline, terms=(*timeline.terms, Step(day, value, number)))
    if kind == "pause":
        return replace(timeline, pauses=(*timeline.pauses, Stretch(day, day + timedelta(days=value))))
    return replace(timeline, ends_on=day if kind == "end" else None)


@settings(max_examples=60, deadline=None)
@given(history=st.lists(st.tuples(DAYS, CHANGES), max_size=8), tried=st.booleans())
def test_whatever_happens_all_that_was_asked_is_what_the_timeline_says(
    history: list[tuple[date, tuple[str, date, int]]], tried: bool
) -> None:
    """Cycles are opened day by day; changes come on any day, about any day, past ones too. Reckoned naively, by day,
    the timeline as it is in the end costs what was asked in all."""
    timeline = Timeline(
        starts_on=d("2026-01-10"), ends_on=None, first=HALF, free_until=d("2026-01-15") if tried else None
    )
    asked: list[Part] = []
    until = timeline.starts_on - timedelta(days=1)
    for number, (today, change) in enumerate(sorted([*history, (d("2026-07-05"), None)], key=lambda each: each[0])):
        while until < today:
            first, until = until + timedelta(days=1), last_of_cycle(timeline, TARIFFS, until + timedelta(days=1))
            asked += owed(timeline, TARIFFS, first, until)
        if change is not None:
            after = changed(timeline, change, number)
            asked += difference(timeline, after, TARIFFS, until)
            timeline = after
    assert sum(part.cents for part in asked) == naive(timeline, until)


def naive(timeline: Timeline, until: date) -> int:
    """Day by day: what the cycle's charged days cost with that day, less what they cost without it; half a cent up."""
    total, day = 0, timeline.starts_on
    while day <= until:
        version = timeline.charged_on(day)
        if version is not None:
            cycle, price = TARIFFS[version].cycle_of(day, timeline.starts_on), TARIFFS[version].price_cents
            earlier = [cycle.first + timedelta(days=n) for n in range((day - cycle.first).days)]
            before = len([each for each in earlier if timeline.charged_on(each) is not None])
            with_it, without = (2 * price * n + cycle.days for n in (before + 1, before))
            total += with_it // (2 * cycle.days) - without // (2 * cycle.days)
        day += timedelta(days=1)
    return total
