"""Pools of credit: which is drawn first, which minutes it reaches, and what every cent of the price is paid with."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.network.memberships.holding import Customer, Held, discount_of
from app.network.memberships.pools import Balance, Left, balances_of, draw_down, pools_of

BRUSSELS = ZoneInfo("Europe/Brussels")
MARCH, END_OF_MARCH = date(2026, 3, 1), date(2026, 3, 31)
MORNINGS = {"from": "08:00", "until": "12:00"}
EVENINGS = {"weekdays": [0, 1, 2, 3, 4], "from": "18:00", "until": "22:00"}


def wall(text: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def left(start: str, end: str, cents: int, zone: ZoneInfo = BRUSSELS) -> Left:
    return Left(((wall(start, zone), wall(end, zone)),), cents)


def holding(*written: dict[str, Any], last: date = END_OF_MARCH, membership: int = 1) -> list[Balance]:
    pools = pools_of([{"kind": "*", "unit": "minutes", "amount": 600, **each} for each in written], {})
    return balances_of(pools, [], membership_id=membership, cycle=MARCH, last=last)


def drawn(balances: list[Balance], of: Left, zone: ZoneInfo = BRUSSELS) -> tuple[list[tuple[int, int, int]], int]:
    """(pool number, minutes covered, cents of the price covered) in the order drawn, and the cents left over."""
    draws, rest = draw_down(balances, of, zone=zone)
    return [(draw.balance.pool.number, draw.minutes, draw.cents) for draw in draws], rest.cents


MONDAY_9_TO_11 = left("2026-03-02T09:00", "2026-03-02T11:00", 1210)


@pytest.mark.parametrize(
    ("pools", "of", "expected", "rest"),
    [
        pytest.param([{"amount": 600}], MONDAY_9_TO_11, [(0, 120, 1210)], 0, id="all of it"),
        pytest.param([{"amount": 30}], left("2026-03-02T09:00", "2026-03-02T09:30", 303), [(0, 30, 303)], 0,
                     id="a half-hour draws thirty minutes, not an hour"),
        pytest.param([{"amount": 45}], MONDAY_9_TO_11, [(0, 45, 454)], 756, id="a part of it, to the cent"),
        pytest.param([{"amount": 0}], MONDAY_9_TO_11, [], 1210, id="an empty pool"),
        pytest.param([{**MORNINGS}], left("2026-03-02T11:00", "2026-03-02T14:00", 1815), [(0, 60, 605)], 1210,
                     id="only the minutes in its window"),
        pytest.param([{**MORNINGS}], left("2026-03-02T07:00", "2026-03-02T14:00", 4200), [(0, 240, 2400)], 1800,
                     id="a window in the middle of the booking"),
        pytest.param([EVENINGS], left("2026-03-07T18:00", "2026-03-07T20:00", 1210), [], 1210, id="not at weekends"),
        pytest.param([EVENINGS], left("2026-03-06T17:00", "2026-03-07T19:00", 2600), [(0, 240, 400)], 2200,
                     id="a booking over night meets the window once"),
        pytest.param([{"amount": 600}, {"amount": 600, **MORNINGS}], left("2026-03-02T11:00", "2026-03-02T13:00", 1210),
                     [(1, 60, 605), (0, 60, 605)], 0, id="the narrower window first"),
        pytest.param([{"amount": 60}, {"amount": 600}], MONDAY_9_TO_11, [(0, 60, 605), (1, 60, 605)], 0,
                     id="of equal windows the first of the list"),
        pytest.param([{"weekdays": [4], "from": "22:00", "until": "06:00"}],
                     left("2026-03-07T01:00", "2026-03-07T02:00", 605), [(0, 60, 605)], 0,
                     id="a window over midnight belongs to the day on which it opens"),
        pytest.param([{"from": "22:00", "until": "06:00", "weekdays": [5]}],
                     left("2026-03-07T01:00", "2026-03-07T02:00", 605), [], 605, id="and not to the day after"),
        pytest.param([{"until": "00:00"}], MONDAY_9_TO_11, [(0, 120, 1210)], 0, id="midnight is the end of the day"),
        pytest.param([{"from": "10:00", "until": "24:00"}], MONDAY_9_TO_11, [(0, 60, 605)], 605, id="so is 24:00"),
        pytest.param([{"unit": "cents", "amount": 5000}], MONDAY_9_TO_11, [(0, 120, 1210)], 0, id="money of the plan"),
        pytest.param([{"unit": "cents", "amount": 500}], MONDAY_9_TO_11, [(0, 49, 500)], 710,
                     id="all of the money there is, though no whole minute is left to pay"),
        pytest.param([{"unit": "cents", "amount": 1209}], MONDAY_9_TO_11, [(0, 119, 1209)], 1, id="a cent short"),
        pytest.param([{"unit": "cents", "amount": 7}], MONDAY_9_TO_11, [(0, 0, 7)], 1203, id="less than one minute"),
        pytest.param([{"unit": "cents", "amount": 5000, **MORNINGS}],
                     left("2026-03-02T11:00", "2026-03-02T13:00", 1210), [(0, 60, 605)], 605,
                     id="money for the window alone"),
        pytest.param([{"amount": 60}, {"unit": "cents", "amount": 400}], MONDAY_9_TO_11,
                     [(0, 60, 605), (1, 39, 400)], 205, id="minutes, then money for what is left"),
        pytest.param([{"unit": "cents", "amount": 5000}], left("2026-03-02T09:00", "2026-03-02T11:00", 0), [], 0,
                     id="what is free costs no money of the plan"),
    ],
)  # fmt: skip
def test_what_pools_cover(pools: list[dict[str, Any]], of: Left, expected: list[Any], rest: int) -> None:
    assert drawn(holding(*pools), of) == (expected, rest)


def test_what_expires_first_is_drawn_first_whatever_its_window() -> None:
    later = holding({"amount": 600, **MORNINGS}, membership=1)
    sooner = holding({"amount": 60}, last=date(2026, 3, 8), membership=2)
    draws, _ = draw_down([*later, *sooner], MONDAY_9_TO_11, zone=BRUSSELS)
    assert [(draw.balance.membership_id, draw.minutes) for draw in draws] == [(2, 60), (1, 60)]


@pytest.mark.parametrize(
    ("start", "end", "covered"),
    [
        pytest.param("2026-03-29T00:00", "2026-03-29T06:00", 180, id="spring: of 01:00 to 05:00 only three hours pass"),
        pytest.param("2026-10-25T00:00", "2026-10-25T06:00", 300, id="autumn: of 01:00 to 05:00 five hours pass"),
    ],
)
def test_a_window_is_by_the_clock_on_the_wall_when_the_clock_changes(start: str, end: str, covered: int) -> None:
    of = left(start, end, 3600)
    (draw,), _ = draw_down(holding({"from": "01:00", "until": "05:00"}), of, zone=BRUSSELS)
    assert (draw.minutes, draw.taken) == (covered, covered)


@pytest.mark.parametrize(
    ("zone", "covered"), [("Europe/Paris", 60), ("Indian/Reunion", 60), ("America/Cayenne", 60), ("Asia/Kolkata", 60)]
)
def test_a_window_is_in_the_zone_of_the_space(zone: str, covered: int) -> None:
    there = ZoneInfo(zone)
    of = left("2026-03-02T11:00", "2026-03-02T13:00", 1000, there)
    assert drawn(holding(MORNINGS), of, there) == ([(0, covered, 500)], 500)


def test_drawn_from_another_version_counts_against_the_pool_of_its_kind() -> None:
    """Changing plans and back in one cycle fills no pool again."""
    before = [(0, "room", -100, 0), (1, "desk_pool", -50, 0), (1, "desk_pool", 20, 0), (2, "*", 0, -300)]
    pools = pools_of(
        [
            {"kind": "desk_pool", "unit": "minutes", "amount": 600},
            {"kind": "desk_pool", "unit": "minutes", "amount": 60, **MORNINGS},
            {"kind": "room", "unit": "minutes", "amount": 120},
            {"kind": "*", "unit": "cents", "amount": 1000},
        ],
        {},
    )
    balances = balances_of(pools, before, membership_id=1, cycle=MARCH, last=END_OF_MARCH)
    assert [balance.left for balance in balances] == [600, 30, 20, 700]


def test_a_pool_is_never_below_nothing() -> None:
    pools = pools_of(None, {"room": 60})
    (balance,) = balances_of(pools, [(0, "room", -90, 0)], membership_id=1, cycle=MARCH, last=END_OF_MARCH)
    assert balance.left == 0


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "room", "unit": "hours", "amount": 10},
        {"kind": "room", "unit": "minutes", "amount": -1},
        {"kind": "room", "unit": "minutes", "amount": True},
        {"kind": "room", "unit": "cents", "amount": 10.0},
        {"kind": "room", "unit": "minutes", "amount": 10, "from": "25:00"},
    ],
)
def test_a_pool_that_cannot_be_is_refused_by_its_place(written: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        pools_of([{"kind": "*", "unit": "minutes", "amount": 1}, written], {})
    assert refused.value.facts["errors"][0]["field"] == "credits.1"


def a_holding(**values: Any) -> Held:
    terms = {"cycle": "month", "cycle_months": 1, "anchor": "calendar", "currency": "EUR"}
    return Held(1, "Plan", date(2026, 1, 10), values.pop("ends_on", None), **{**terms, **values})


@pytest.mark.parametrize(
    ("terms", "cycle", "expires"),
    [
        ({}, date(2026, 3, 1), date(2026, 3, 31)),
        ({"anchor": "start"}, date(2026, 2, 10), date(2026, 3, 9)),
        ({"cycle": "week"}, date(2026, 3, 2), date(2026, 3, 8)),
        ({"cycle": "term", "cycle_months": 3}, date(2026, 1, 1), date(2026, 3, 31)),
        ({"ends_on": date(2026, 3, 15)}, date(2026, 3, 1), date(2026, 3, 15)),
    ],
)
def test_credit_is_that_of_the_cycle_and_ends_with_it_or_with_the_membership(
    terms: dict[str, Any], cycle: date, expires: date
) -> None:
    entries = [[str(cycle), 0, "room", -20, 0], ["2025-12-01", 0, "room", -99, 0]]
    held = a_holding(included={"room": 60, "desk": 5}, entries=entries, **terms)
    (balance,) = held.balances(date(2026, 3, 4), kind="room", currency="EUR")
    assert (balance.cycle, balance.expires_on, balance.left) == (cycle, expires, 40)


def test_money_of_a_plan_pays_nothing_in_another_currency() -> None:
    held = a_holding(credits=[{"kind": "*", "unit": "cents", "amount": 100}], currency="CHF")
    assert held.balances(MARCH, kind="room", currency="EUR") == []
    assert held.balances(MARCH, kind="room", currency="CHF")[0].left == 100


def test_the_largest_discount_counts_and_only_for_its_kind() -> None:
    one = a_holding(discounts=[{"kind": "room", "percent": 20}, {"kind": "*", "percent": 10}])
    other = a_holding(discounts=[{"kind": "room", "percent": 25}])
    assert discount_of([one, other], "room") == ("Plan", 25)
    assert discount_of([one, other], "desk") == ("Plan", 10)
    assert discount_of([other], "desk") is None


@pytest.mark.parametrize("status", ["unchecked", "invalid", "unknown"])
def test_a_customer_whose_number_is_not_known_to_be_valid_is_no_business(status: str) -> None:
    assert not Customer.of(["id", "FR", True, status]).is_business
    assert Customer.of(["id", "FR", True, "valid"]).is_business


WRITTEN = st.builds(
    lambda unit, amount, window, days: {"unit": unit, "amount": amount, "weekdays": days, **window},
    st.sampled_from(["minutes", "cents"]), st.integers(0, 2000),
    st.sampled_from([{}, MORNINGS, {"from": "22:00", "until": "06:00"}, {"from": "11:30", "until": "13:45"}]),
    st.sampled_from([None, [0, 1], [6], [0, 1, 2, 3, 4, 5, 6]]),
)  # fmt: skip


@given(st.lists(WRITTEN, max_size=5), st.integers(0, 60 * 24 * 3), st.integers(1, 60 * 30), st.integers(0, 20_000))
def test_no_cent_and_no_minute_is_lost_or_drawn_twice(pools: Any, begin: int, length: int, cents: int) -> None:
    start = datetime.fromtimestamp(wall("2026-03-27T00:00").timestamp() + begin * 60, UTC)
    end = datetime.fromtimestamp(start.timestamp() + length * 60, UTC)
    of = Left(((start, end),), cents)
    draws, rest = draw_down(holding(*pools), of, zone=BRUSSELS)
    assert sum(draw.cents for draw in draws) + rest.cents == cents
    if cents >= length:  # else a minute may be worth nothing, and nothing is drawn for it
        assert sum(draw.minutes for draw in draws) + rest.minutes == length
    assert all(0 < draw.taken <= draw.balance.left for draw in draws)
    assert rest.cents >= 0
