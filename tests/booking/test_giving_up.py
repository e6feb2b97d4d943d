"""A booking made smaller too late owes what cancelling the part given up would have cost, however it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.charges.booking import advance, due, due_gross
from app.billing.charges.owing import Cents
from app.booking.giving_up import Size, change_fee, credit_kept, fee_of, parts_after
from app.money import round_half_up
from tests.booking.house import House, at
from tests.booking.plans import minutes, signed

HALF_THEN_ALL = [[24, 0], [2, 50], [0, 100]]


def money(cents: int) -> Size:
    return Size(cents, cents)


@pytest.mark.parametrize(
    ("prices", "percents", "fee", "why"),
    [
        ([1000, 400], [50], 300, "half of the 600 given up"),
        ([1000, 400], [0], 0, "in time"),
        ([1000, 800, 400], [50, 100], 500, "half of 200, all of 400"),
        ([1000, 800, 400, 600], [50, 100, 100], 300, "what was given up last comes back first"),
        ([1000, 400, 1000], [50, 50], 0, "taken back whole"),
        ([1000, 400, 1500], [50, 50], 0, "and more"),
        ([999, 998], [50], 1, "half a cent counts as one"),
    ],
)
def test_the_fee_is_that_of_the_parts_given_up(prices: list[int], percents: list[int], fee: int, why: str) -> None:
    parts: Any = ()
    for before, after, percent in zip(prices, prices[1:], percents, strict=False):
        parts = parts_after(parts, money(before), money(after), percent=percent)
    assert fee_of(parts) == fee, why


def test_only_what_money_paid_and_the_price_fell_by_is_given_up() -> None:
    assert fee_of(parts_after((), Size(1000, 300), Size(400, 0), percent=100)) == 300
    assert fee_of(parts_after((), Size(1000, 1000), Size(1000, 0), percent=100)) == 0, "credit pays instead"
    assert change_fee((), least_cents=1000, gross_cents=1000) == 0


def test_credit_of_the_part_given_up_stays_drawn() -> None:
    assert credit_kept(120, 60, was=Size(2420, 0), is_now=Size(1210, 0)) == 60
    assert credit_kept(120, 60, was=Size(1210, 0), is_now=Size(1210, 0)) == 0, "the price is what it was"
    assert credit_kept(120, 0, was=Size(1000, 0), is_now=Size(500, 500)) == 60, "the other half is paid in money"
    assert credit_kept(60, 90, was=Size(1000, 0), is_now=Size(500, 0)) == 0


# -- against a naive model, whatever the order ------------------------------------------------------------------------
@dataclass
class Model:
    """The naive way: every euro once booked is a coin. A coin given up late leaves its percentage behind; one taken
    up again takes that back. Whatever cancelling cost at any late change is a floor."""

    price: int
    floor: int = 0
    given: list[int] = field(default_factory=list)  # a percentage for each coin

    def cancelling_costs(self, percent: int) -> int:
        return max(round_half_up(self.price * percent + sum(self.given), 100), self.floor)

    def becomes(self, price: int, percent: int) -> None:
        self.floor = self.cancelling_costs(percent)
        for _ in range(self.price - price if percent else 0):
            self.given.append(percent)
        for _ in range(min(price - self.price, len(self.given))):
            self.given.pop()
        self.price = price

    def using_costs(self) -> int:
        return max(self.price + round_half_up(sum(self.given), 100), self.floor)


STEPS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from((0, 0, 33, 50, 100))), max_size=8)


@given(first=st.integers(0, 60), steps=STEPS, last=st.sampled_from((0, 33, 50, 100)))
def test_no_order_of_changes_pays_less_than_cancelling_would_have(
    first: int, steps: list[tuple[int, int]], last: int
) -> None:
    model, parts, price, least, dearest = Model(first), (), first, 0, first
    for after, percent in steps:
        by_terms = round_half_up(price * percent, 100) + fee_of(parts)
        least, cancelling = max(by_terms, least), model.cancelling_costs(percent)
        parts = parts_after(parts, money(price), money(after), percent=percent)
        model.becomes(after, percent)
        price, dearest = after, max(dearest, after)
        used = price + change_fee(parts, least_cents=least, gross_cents=price)
        cancelled = max(round_half_up(price * last, 100) + fee_of(parts), least)
        assert cancelling <= min(used, cancelled), "changing was cheaper than cancelling"
        assert abs(used - model.using_costs()) <= 1, "a cent of rounding: the model's halves are not split"
        assert max(used, cancelled) <= dearest, "more than the highest price there was"


def test_the_books_ask_for_the_price_and_the_fee_whoever_came_or_did_not() -> None:
    vat = {"permille": 210, "category": "S", "ground": "art. 2", "mention": None, "includes_vat": False}
    period = {"start": "2026-03-04T08:00:00Z", "end": "2026-03-04T10:00:00Z", "currency": "EUR", "vat": vat}
    cover = [{"source": "money", "amount": {"amount_cents": 605, "currency": "EUR"}}]
    smaller = {**period, "gross_cents": 605, "net_cents": 500, "vat_cents": 105, "cover": cover}
    made = advance(None, "booking.made", {**smaller, "status": "confirmed"})
    moved = advance(made, "booking.moved", {**smaller, "change_fee_cents": 303})
    for ending in ("booking.completed", "booking.no_show"):
        assert due(advance(moved, ending, {})) == Cents(908, 750, 158)  # 908 / 1.21 = 750.41
    assert due_gross(advance(moved, "booking.cancelled", {"fee_cents": 606})) == 606


# -- as it is booked --------------------------------------------------------------------------------------------------
def test_shrinking_late_is_foretold_owed_and_told_the_books(house: House) -> None:
    room, member = house.room(rules={"cancellation": HALF_THEN_ALL, "no_show_after_minutes": 20}), house.member()
    made = house.book(member, room, at(9, day=4), at(11, day=4))  # 1210
    house.now = at(12, day=3)
    quoted = house.quote_change(made, by=member, end=at(10, day=4))
    assert house.booking(made).gross_cents == 1210, "nothing changed yet"
    house.move(made, by=member, end=at(10, day=4))
    shown = house.shown(made, to=member)
    for told in (quoted["booking"], shown):
        assert (told["price"]["amount_cents"], told["change_fee"]["amount_cents"]) == (605, 303)
        assert told["least_fee"]["amount_cents"] == 605
    assert [(name, data.get("change_fee_cents")) for _, name, data in house.told(made.row["uid"])] == [
        ("booking.made", None), ("booking.moved", 303),
    ]  # fmt: skip
    house.move(made, by=house.manager, end=at(9.5, day=4))
    assert house.shown(made, to=member)["change_fee"]["amount_cents"] == 303, "staff make it smaller for free"
    house.now = at(8, day=4)
    assert house.cancel(made, by=member).fee_cents == 606  # all of 303 (rounded from 302.5), and the fee of before


def test_credit_given_up_late_stays_drawn_and_staff_give_it_back(house: House) -> None:
    room, member = house.room(rules={"cancellation": HALF_THEN_ALL}), house.member()
    with house.building() as session:
        membership = signed(session, member, house.space, credits=[minutes("room", 300)], included={"room": 300})
    made = house.book(member, room, at(9), at(13))
    house.move(made, by=member, end=at(12))
    assert house.credit(membership, "room") == 300 - 180, "in time it comes back"
    house.now = at(8)
    quoted = house.quote_change(made, by=member, end=at(10))
    house.move(made, by=member, end=at(10))
    assert house.credit(membership, "room") == 300 - 180
    assert quoted["booking"]["forfeited_minutes"] == house.shown(made, to=member)["forfeited_minutes"] == 120
    house.cancel(made, by=house.manager)
    assert house.credit(membership, "room") == 300


def test_a_change_that_would_be_refused_says_so_in_its_quote(house: House) -> None:
    room, member = house.room(), house.member()
    made = house.book(member, room, at(9), at(11))
    house.book(house.member(), room, at(12), at(14))
    before = house.snapshot(made)
    quoted = house.quote_change(made, by=member, start=at(12))
    assert (quoted["booking"], quoted["refusal"]["code"]) == (None, "slot_taken")
    assert quoted["refusal"]["alternatives"]
    assert house.snapshot(made) == before
