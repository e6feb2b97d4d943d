"""The schedule: in order, one step a day at most, never closer together than it says."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.dunning.steps import USUAL, Done, Step, checked, next_step
from app.errors import Invalid

DUE = date(2026, 3, 31)


def after(days: int) -> date:
    return DUE + timedelta(days=days)


@pytest.mark.parametrize(
    ("done", "day", "expected"),
    [
        ([], 0, None),
        ([], 4, None),
        ([], 5, 1),
        ([], 300, 1),
        ([(1, 5)], 19, None),
        ([(1, 5)], 20, 2),
        ([(1, 300)], 314, None),  # whoever began late waits as long between two letters
        ([(1, 300)], 315, 2),
        ([(1, 5), (2, 20), (3, 35)], 50, 4),
        ([(1, 5), (2, 20), (3, 35), (4, 50)], 300, None),
    ],
)
def test_which_step_is_due(done: list[tuple[int, int]], day: int, expected: int | None) -> None:
    found = next_step(USUAL, [Done(no, after(on)) for no, on in done], due_on=DUE, day=after(day))
    assert (found[0] if found else None) == expected


BAD = {
    "days that do not rise": ([(5, "reminder", False), (5, "reminder", False)], "steps.1.after_days"),
    "before the due day": ([(0, "reminder", False)], "steps.0.after_days"),
    "after a year": ([(366, "reminder", False)], "steps.0.after_days"),
    "an unknown act": ([(5, "bailiff", False)], "steps.0.action"),
    "a first letter that is not free": ([(5, "reminder", True)], "steps.0.claims"),
    "too many": ([(n + 1, "reminder", False) for n in range(9)], "steps"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_schedule_that_cannot_be_is_refused_by_field(case: str) -> None:
    rows, field = BAD[case]
    with pytest.raises(Invalid) as refused:
        checked([dict(zip(("after_days", "action", "claims"), row, strict=True)) for row in rows])
    assert refused.value.facts["errors"][0]["field"] == field


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.lists(st.integers(0, 40), max_size=60),
)
def test_every_schedule_is_taken_in_order_and_with_its_distances(gaps: list[int], waits: list[int]) -> None:
    steps, day = [], 0
    for gap in gaps:
        day += gap
        steps.append(Step(day, "reminder"))
    taken: list[Done] = []
    today = DUE
    for wait in waits:
        today += timedelta(days=wait)
        if found := next_step(steps, taken, due_on=DUE, day=today):
            taken.append(Done(found[0], today))
    assert [each.no for each in taken] == list(range(1, len(taken) + 1))
    for no, each in enumerate(taken):
        assert each.day >= DUE + timedelta(days=steps[no].after_days)
        if no:
            assert (each.day - taken[no - 1].day).days >= steps[no].after_days - steps[no - 1].after_days
