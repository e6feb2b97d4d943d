"""What stands and what is owed: the charges between the two, at the rate of what they take back, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.charges.booking import Booking, due
from app.billing.charges.owing import Cents, Change, Owed, Standing, Supply, Vat, cents_of, settle, total
from tests.billing.charges.builders import MARCH, VAT_BE
from tests.billing.charges.till import NINE

VAT = Vat.of(VAT_BE)
FR = VAT._replace(permille=200, ground="CGI, art. 278")
DAY, NEXT = date(2026, 3, 10), date(2026, 3, 11)


def supply(day: date = DAY) -> Supply:
    return Supply(day, day, {"resource_kind": "room"}, 4000, "hour")


def owed(gross: int, *, vat: Vat = VAT, party: int = 1, day: date = DAY) -> Owed:
    return Owed("booking", party, "EUR", cents_of(gross, vat), vat, supply(day))


def standing(
    number: int, gross: int, *, back: int = 0, documented: bool = False, vat: Vat = VAT, party: int = 1, day: date = DAY
) -> Standing:
    whole = cents_of(gross, vat)
    left = whole.minus(cents_of(back, vat))
    return Standing(number, MARCH, documented, whole, left, owed(gross, vat=vat, party=party, day=day))


def said(changes: Sequence[Change]) -> list[tuple[int | None, int, int]]:
    """What each corrects, its gross and its rate."""
    return [
        (change.corrects.charge_id if change.corrects else None, change.owed.cents.gross, change.owed.vat.permille)
        for change in changes
    ]


@pytest.mark.parametrize(
    ("stands", "is_owed", "expected"),
    [
        ([], owed(3025), [(None, 3025, 210)]),
        ([], None, []),
        ([standing(1, 3025)], owed(3025), []),
        ([standing(1, 3025)], None, [(1, -3025, 210)]),
        ([standing(1, 3025)], owed(0), [(1, -3025, 210)]),
        ([standing(1, 3025)], owed(1513), [(1, -1512, 210)]),
        ([standing(1, 3025)], owed(3630), [(None, 605, 210)]),
        ([standing(1, 3025)], owed(3025, day=NEXT), [(1, -3025, 210), (None, 3025, 210)]),
        ([standing(1, 3025, documented=True)], owed(3025, day=NEXT), []),
        ([standing(1, 3025, documented=True)], owed(3630, day=NEXT), [(None, 605, 210)]),
        ([standing(1, 3025, documented=True)], owed(2000, day=NEXT), [(1, -1025, 210)]),
        ([standing(1, 3025, documented=True), standing(2, 605)], owed(2904), [(2, -605, 210), (1, -121, 210)]),
        ([standing(1, 3025, back=1210, documented=True)], None, [(1, -1815, 210)]),
        ([standing(1, 3025, back=3025, documented=True)], None, []),
        ([standing(1, 3025, documented=True)], owed(3000, vat=FR), [(1, -3025, 210), (None, 3000, 200)]),
        ([standing(1, 3025)], owed(3025, party=2), [(1, -3025, 210), (None, 3025, 210)]),
        ([standing(1, 3000, vat=FR, documented=True), standing(2, 605)], owed(605), [(1, -3000, 200)]),
    ],
)
def test_the_difference_is_charged_or_taken_back_newest_first(
    stands: list[Standing], is_owed: Owed | None, expected: list[tuple[int | None, int, int]]
) -> None:
    assert said(settle(stands, is_owed)) == expected


def test_what_is_taken_back_whole_keeps_its_quantity_a_part_is_one_piece() -> None:
    (whole,) = settle([standing(1, 3025)], None)
    (part,) = settle([standing(1, 3025)], owed(1000))
    assert (whole.owed.supply.quantity_milli, whole.owed.supply.unit) == (4000, "hour")
    assert (part.owed.supply.quantity_milli, part.owed.supply.unit) == (1000, "piece")


def test_where_only_the_vat_would_move_all_is_charged_anew() -> None:
    odd = owed(3025)._replace(cents=Cents(3025, 2501, 524))
    assert said(settle([standing(1, 3025)], odd)) == [(1, -3025, 210), (None, 3025, 210)]


@given(
    grosses=st.lists(st.integers(0, 100_000), min_size=1, max_size=8),
    documented=st.lists(st.booleans(), min_size=8, max_size=8),
    rates=st.lists(st.sampled_from([VAT, FR]), min_size=8, max_size=8),
)
def test_whatever_comes_after_what_the_charges_sum_to_what_is_owed_and_none_gives_more_than_it_had(
    grosses: list[int], documented: list[bool], rates: list[Vat]
) -> None:
    stands: list[Standing] = []
    for gross, is_documented, vat in zip(grosses, documented, rates, strict=False):
        now_owed = owed(gross, vat=vat)
        for change in settle(stands, now_owed):
            if change.corrects is None:
                number = len(stands) + 1
                stands.append(Standing(number, MARCH, False, change.owed.cents, change.owed.cents, change.owed))
                continue
            assert change.owed.vat == change.corrects.owed.vat, "a correction is at the original rate"
            at = change.corrects.charge_id - 1
            stands[at] = stands[at]._replace(left=stands[at].left.plus(change.owed.cents))
        assert total(each.left for each in stands) == now_owed.cents
        assert all(each.left.gross >= 0 and each.left.net >= 0 and each.left.vat >= 0 for each in stands)
        stands = [each._replace(documented=each.documented or is_documented) for each in stands]


BOOKED = Booking(
    status="confirmed", starts_at=NINE, ends_at=NINE + timedelta(hours=4), resource_kind="room", payer_uid=None,
    currency="EUR", price=Cents(3025, 2500, 525), money_cents=3025, vat=VAT_BE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (3025, 2500, 525)),
        ({"money_cents": 0}, (0, 0, 0)),
        ({"money_cents": 1000}, (1000, 826, 174)),
        ({"status": "held"}, (0, 0, 0)),
        ({"status": "pending"}, (0, 0, 0)),
        ({"status": "refused"}, (0, 0, 0)),
        ({"status": "checked_in"}, (3025, 2500, 525)),
        ({"status": "no_show"}, (3025, 2500, 525)),
        ({"status": "cancelled"}, (0, 0, 0)),
        ({"status": "cancelled", "fee_cents": 1513}, (1513, 1250, 263)),
        ({"status": "cancelled", "fee_cents": 3025}, (3025, 2500, 525)),
        ({"money_cents": 1000, "vat": {**VAT_BE, "permille": 0}}, (1000, 1000, 0)),
        # A price list without VAT: the VAT in 1.03 gross would be 0.17, half-up; what was frozen is what is owed.
        ({"price": Cents(103, 85, 18), "money_cents": 103}, (103, 85, 18)),
    ],
)
def test_what_a_booking_owes_in_each_state(values: dict[str, object], expected: tuple[int, int, int]) -> None:
    assert due(replace(BOOKED, **values)) == expected  # type: ignore[arg-type]
