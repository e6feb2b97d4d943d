from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.cancellation import (
    ALWAYS_FREE,
    Step,
    Terms,
    fee_cents,
    fee_percent,
    minutes_returned,
    terms_from_json,
    terms_to_json,
)
from app.errors import Invalid

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
USUAL = Terms((Step(24, 0), Step(2, 50), Step(0, 100)))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("notice", "percent"),
    [
        pytest.param(timedelta(days=30), 0, id="a month before"),
        pytest.param(timedelta(hours=24), 0, id="exactly a day before"),
        pytest.param(timedelta(hours=24) - SECOND, 50, id="a second less than a day"),
        pytest.param(timedelta(hours=2), 50, id="exactly two hours before"),
        pytest.param(timedelta(hours=2) - SECOND, 100, id="a second less than two hours"),
        pytest.param(timedelta(0), 100, id="at the start"),
        pytest.param(timedelta(hours=-5), 100, id="after the start"),
    ],
)
def test_the_fee_is_that_of_the_notice_given(notice: timedelta, percent: int) -> None:
    now = START - notice
    assert fee_percent(USUAL, start=START, now=now) == percent
    assert fee_cents(USUAL, 2000, start=START, now=now) == 20 * percent
    assert minutes_returned(USUAL, start=START, now=now) is (percent == 0)


def test_half_a_cent_goes_up() -> None:
    assert fee_cents(USUAL, 1815, start=START, now=START - timedelta(hours=3)) == 908


def test_terms_that_are_always_free_are_free_after_the_start_too() -> None:
    assert fee_cents(ALWAYS_FREE, 2000, start=START, now=START + timedelta(days=1)) == 0


def test_notice_is_time_that_passes_not_time_on_the_wall() -> None:
    """From Saturday 09:00 to Sunday 09:00 only 23 hours pass when the clock jumps."""
    zone = ZoneInfo("Europe/Brussels")
    start, now = datetime(2026, 3, 29, 9, tzinfo=zone), datetime(2026, 3, 28, 9, tzinfo=zone)
    assert fee_percent(USUAL, start=start, now=now) == 50


TERMS = st.builds(
    lambda hours, percents: Terms(
        tuple(Step(*pair) for pair in zip(sorted({0, *hours}, reverse=True), sorted(percents), strict=False))
    ),
    st.sets(st.integers(1, 1000), min_size=4, max_size=4),
    st.lists(st.integers(0, 100), min_size=5, max_size=5),
)


@given(TERMS, st.integers(0, 10**9), st.integers(-(10**6), 10**7), st.integers(0, 10**6))
def test_waiting_never_lowers_the_fee_and_the_fee_is_never_above_the_price(
    terms: Terms, price_cents: int, seconds_before: int, waited: int
) -> None:
    now = START - timedelta(seconds=seconds_before)
    fee = fee_cents(terms, price_cents, start=START, now=now)
    assert 0 <= fee <= fee_cents(terms, price_cents, start=START, now=now + timedelta(seconds=waited)) <= price_cents


@given(TERMS)
def test_terms_come_back_from_json(terms: Terms) -> None:
    assert terms_from_json(terms_to_json(terms)) == terms


def test_terms_are_written_as_a_list_of_steps() -> None:
    assert terms_to_json(Terms((Step(24, 0), Step(0, 100)))) == [
        {"hours_before": 24, "percent": 0},
        {"hours_before": 0, "percent": 100},
    ]


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        pytest.param(None, "list", id="nothing"),
        pytest.param({"hours_before": 0, "percent": 0}, "list", id="a single step"),
        pytest.param([], "at 0 hours", id="no step"),
        pytest.param([{"hours_before": 24, "percent": 0}], "at 0 hours", id="a last step before the start"),
        pytest.param([{"hours_before": 0}], "whole numbers", id="no percent"),
        pytest.param([{"hours_before": 0, "percent": 0, "x": 1}], "whole numbers", id="an unknown key"),
        pytest.param([{"hours_before": False, "percent": 0}], "whole numbers", id="a boolean for hours"),
        pytest.param([{"hours_before": 0, "percent": 12.5}], "whole numbers", id="a fraction"),
        pytest.param([{"hours_before": -1, "percent": 0}], "0 to 1000000", id="negative hours"),
        pytest.param([{"hours_before": 10**30, "percent": 0}], "0 to 1000000", id="more hours than a clock can count"),
        pytest.param([{"hours_before": 0, "percent": 101}], "0 to 100", id="more than all"),
        pytest.param(
            [{"hours_before": 2, "percent": 50}, {"hours_before": 0, "percent": 20}], "cost less", id="cheaper later"
        ),
        pytest.param(
            [{"hours_before": 0, "percent": 0}, {"hours_before": 0, "percent": 9}], "must fall", id="the same twice"
        ),
    ],
)
def test_terms_of_another_shape_are_refused_with_a_remedy(data: object, remedy: str) -> None:
    with pytest.raises(Invalid, match=remedy):
        terms_from_json(data)
