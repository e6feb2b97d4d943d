from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.assignment import Candidate, prefer


@pytest.mark.parametrize(
    ("candidates", "last_unit_id", "expected"),
    [
        pytest.param([], None, [], id="nothing is free"),
        pytest.param([(1, 60, 60), (2, 0, 60), (3, 0, 0)], None, [3, 2, 1], id="fewest holes first"),
        pytest.param([(1, 0, 90), (2, 30, 0), (3, 0, 60)], None, [2, 3, 1], id="then the smallest hole"),
        pytest.param([(1, 5, 5), (2, 0, 300)], None, [2, 1], id="one long hole before two short ones"),
        pytest.param([(7, 0, 60), (3, 60, 0)], None, [3, 7], id="then the lowest id"),
        pytest.param([(1, 0, 0), (9, 240, 240)], 9, [9, 1], id="the member's last desk before all"),
        pytest.param([(2, 10, 10), (1, 10, 10)], 8, [1, 2], id="a last desk that is not free changes nothing"),
    ],
)
def test_units_are_tried_in_order_of_preference(
    candidates: list[tuple[int, int, int]], last_unit_id: int | None, expected: list[int]
) -> None:
    assert prefer([Candidate(*row) for row in candidates], last_unit_id=last_unit_id) == expected


def naive(candidates: list[Candidate], last_unit_id: int | None) -> list[int]:
    """Pick the best of what is left, again and again, by striking out everything that is worse."""
    left, order = list(candidates), []
    while left:
        best = [c for c in left if c.unit_id == last_unit_id] or left
        holes = {c.unit_id: [gap for gap in (c.free_before_minutes, c.free_after_minutes) if gap] for c in best}
        best = [c for c in best if len(holes[c.unit_id]) == min(map(len, holes.values()))]
        best = [c for c in best if sum(holes[c.unit_id]) == min(sum(holes[other.unit_id]) for other in best)]
        chosen = min(c.unit_id for c in best)
        order.append(chosen)
        left = [c for c in left if c.unit_id != chosen]
    return order


GAPS = st.sampled_from([0, 0, 15, 30, 60, 480])


@given(
    st.lists(st.builds(Candidate, st.integers(1, 20), GAPS, GAPS), unique_by=lambda c: c.unit_id),
    st.none() | st.integers(1, 20),
)
def test_the_order_is_that_of_picking_the_best_again_and_again(
    candidates: list[Candidate], last_unit_id: int | None
) -> None:
    assert prefer(candidates, last_unit_id=last_unit_id) == naive(candidates, last_unit_id)
