"""Proration by day: a table of cases, right to the cent, and what holds for any price and any cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.network.memberships.proration import share

CASES = [
    # price, days of the cycle, days charged before, days, cents, what it is
    (10_000, 30, 0, 30, 10_000, "a whole month"),
    (10_000, 30, 0, 14, 4_667, "before a switch on day 15 of 30: 14/30"),
    (10_000, 30, 14, 16, 5_333, "from a switch on day 15 of 30: 16/30, no day dropped"),
    (10_000, 30, 29, 1, 333, "the last day counts"),
    (10_000, 30, 0, 1, 333, "a one-day subscription is one day, not none"),
    (30, 30, 0, 1, 1, "a cent a day: a day is a cent"),
    (30, 30, 17, 1, 1, "whichever day it is"),
    (2_900, 29, 28, 1, 100, "29 February is a day of 29"),
    (2_900, 29, 0, 28, 2_800, "and 28 days are not the whole of it"),
    (36_600, 366, 59, 2, 200, "and a day of 366"),
    (15, 30, 0, 15, 8, "half a cent more is a cent more"),
    (15, 30, 15, 15, 7, "for the first only"),
    (1, 30, 0, 14, 0, "what is less than half a cent is nothing"),
    (1, 30, 14, 16, 1, "and the rest has it"),
    (0, 30, 0, 30, 0, "free is free"),
]


@pytest.mark.parametrize(
    ("price", "of_days", "before", "days", "cents", "what"), CASES, ids=[case[-1] for case in CASES]
)
def test_a_share_of_a_cycle(price: int, of_days: int, before: int, days: int, cents: int, what: str) -> None:
    assert share(price, of_days=of_days, before=before, days=days) == cents, what


@settings(deadline=None)
@given(
    price=st.integers(0, 10_000_000),
    of_days=st.integers(1, 366),
    cuts=st.lists(st.integers(1, 365), max_size=8),
)
def test_however_a_cycle_is_cut_its_parts_sum_to_its_price(price: int, of_days: int, cuts: list[int]) -> None:
    begins = sorted({0, *(cut for cut in cuts if cut < of_days)})
    lengths = [end - begin for begin, end in zip(begins, [*begins[1:], of_days], strict=True)]
    parts = [share(price, of_days=of_days, before=b, days=n) for b, n in zip(begins, lengths, strict=True)]
    assert sum(parts) == price
    assert all(abs(part * of_days - price * n) <= of_days for part, n in zip(parts, lengths, strict=True))


@settings(deadline=None)
@given(of_days=st.integers(1, 366), more=st.integers(0, 10_000), day=st.integers(0, 365))
def test_a_day_of_a_price_of_a_cent_a_day_is_never_free(of_days: int, more: int, day: int) -> None:
    assert share(of_days + more, of_days=of_days, before=day % of_days, days=1) >= 1


@pytest.mark.parametrize(("before", "days"), [(0, 0), (0, 31), (30, 1), (-1, 1), (5, -1)])
def test_days_that_are_no_part_of_the_cycle_are_a_mistake_of_the_programmer(before: int, days: int) -> None:
    with pytest.raises(ValueError, match="no part"):
        share(100, of_days=30, before=before, days=days)
