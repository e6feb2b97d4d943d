"""Local days leave no gap and do not overlap, over changes of the clock and leap days, in every zone of ours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.billing.closings import counters
from app.billing.closings.days import begin_of, end_of, ended_with, first_of, local_day

ZONES = ("Europe/Brussels", "Europe/Paris", "Indian/Reunion", "America/Cayenne", "Pacific/Noumea", "Asia/Beirut")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Brussels", date(2026, 3, 29), 23),
        ("Europe/Brussels", date(2026, 10, 25), 25),
        ("Europe/Paris", date(2028, 2, 29), 24),
        ("Indian/Reunion", date(2026, 3, 29), 24),
        ("America/Cayenne", date(2026, 10, 25), 24),
        ("Asia/Beirut", date(2026, 3, 29), 23),  # where the clock leaps over midnight itself
    ],
)
def test_a_day_is_as_long_as_its_clock_says(zone: str, day: date, hours: int) -> None:
    assert end_of(day, ZoneInfo(zone)) - begin_of(day, ZoneInfo(zone)) == timedelta(hours=hours)


def test_midnight_is_that_of_the_place() -> None:
    assert end_of(date(2026, 3, 2), ZoneInfo("Indian/Reunion")) == datetime(2026, 3, 2, 20, tzinfo=UTC)
    assert end_of(date(2026, 3, 2), ZoneInfo("America/Cayenne")) == datetime(2026, 3, 3, 3, tzinfo=UTC)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(ZONES), st.dates(date(2020, 1, 1), date(2036, 12, 31)), st.integers(0, 86_399))
def test_every_instant_lies_in_exactly_one_day(zone: str, day: date, second: int) -> None:
    at = begin_of(day, ZoneInfo(zone)) + timedelta(seconds=second)
    on = local_day(at, ZoneInfo(zone))
    assert begin_of(on, ZoneInfo(zone)) <= at < end_of(on, ZoneInfo(zone))
    assert end_of(on, ZoneInfo(zone)) == begin_of(on + timedelta(days=1), ZoneInfo(zone))


def test_months_and_years_end_with_their_last_days() -> None:
    assert list(ended_with(date(2028, 2, 28))) == []
    assert list(ended_with(date(2028, 2, 29))) == ["month"] == list(ended_with(date(2027, 2, 28)))
    assert list(ended_with(date(2026, 12, 31))) == ["month", "year"]
    assert first_of("year", date(2026, 12, 31)) == date(2026, 1, 1)


AMOUNT = st.integers(-(10**12), 10**12)
ROW = st.fixed_dictionaries({
    "kind": st.sampled_from(["invoice", "credit_note"]), "currency": st.just("EUR"),
    "series": st.sampled_from(["I2026", "C2026", "I2027"]), "count": st.integers(1, 9), "net_cents": AMOUNT,
    "vat_cents": AMOUNT, "gross_cents": AMOUNT, "first": st.integers(1, 50), "last": st.integers(51, 99),
})  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(ROW, max_size=4), max_size=6))
def test_totals_of_parts_are_the_total_and_grand_totals_do_not_mind_how_time_was_cut(parts: list[list[dict]]) -> None:  # type: ignore[type-arg]
    tables = [counters.none() | {"documents": rows} for rows in parts]
    whole = counters.total(tables)
    for column in ("count", "net_cents", "gross_cents"):
        assert sum(row[column] for row in whole["documents"]) == sum(row[column] for rows in parts for row in rows)
    keys = [(row["kind"], row["currency"], row["series"]) for row in whole["documents"]]
    assert all(one < other for one, other in pairwise(keys))
    step_by_step = counters.none()
    for table in tables:
        step_by_step = counters.grown(step_by_step, table)
    assert step_by_step == counters.grown(counters.none(), whole)
    assert all("series" not in row and "first" not in row for row in step_by_step["documents"])
