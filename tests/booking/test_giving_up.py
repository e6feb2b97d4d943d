"""A booking made smaller too late owes what cancelling the part given up would have cost, however it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.billing.charges.booking import advance, due, due_gross
from app.billing.charges.owing import Cents
from app.booking.giving_up import Size, change_fee, credit_kept, fee_of, parts_after
from app.money import round_half_up
from tests.booking.house import House, at
from tests.booking.plans import a_version, cents, entries, minutes, moved_to, signed
from tests.builders import a_manager, a_member, a_room, a_space, a_token
from tests.conftest import Clock
from tests.http.client import Client

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


@pytest.mark.parametrize(
    ("before", "after", "forfeited", "grosses", "late", "kept", "why"),
    [
        (120, 60, 0, (2420, 1210), True, 60, "all that was given up"),
        (120, 60, 0, (1210, 1210), True, 0, "the price is what it was"),
        (120, 0, 0, (1000, 500), True, 60, "the other half is paid in money"),
        (60, 90, 0, (1000, 500), True, 0, "more than before"),
        (120, 120, 120, (1210, 1210), True, 120, "what was forfeited stays so, whatever is changed"),
        (120, 135, 120, (1210, 1361), True, 105, "growing takes back what it grows by"),
        (120, 300, 120, (1210, 3025), True, 0, "and no more than there was"),
        (120, 60, 120, (1210, 605), True, 180, "what is given up now is added"),
        (120, 60, 120, (1210, 605), False, 120, "in time, or by staff, nothing is"),
        (120, 150, 120, (1210, 1513), False, 90, "but growing takes back"),
        (120, 0, 120, (1210, 1210), True, 120, "money pays instead, of another cycle: no part was given up"),
    ],
)
def test_credit_of_the_part_given_up_stays_drawn_until_the_booking_grows_again(
    before: int, after: int, forfeited: int, grosses: tuple[int, int], late: bool, kept: int, why: str
) -> None:
    was, is_now = (Size(gross, 0) for gross in grosses)
    assert credit_kept(before, after, forfeited=forfeited, was=was, is_now=is_now, late=late) == kept, why


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


@given(first=st.integers(1, 600), pool=st.integers(0, 600), lengths=st.lists(st.integers(1, 600), max_size=8))
def test_late_changes_forfeit_in_any_number_of_steps_what_they_do_in_one_go(
    first: int, pool: int, lengths: list[int]
) -> None:
    """At a price by the minute: as much stays drawn as the booking drew when it was longest."""
    length, forfeited, most = first, 0, min(first, pool)
    for after in lengths:
        before, drawn = min(length, pool), min(after, pool)
        was, is_now = money(length * 10), money(after * 10)
        forfeited = credit_kept(before, drawn, forfeited=forfeited, was=was, is_now=is_now, late=True)
        length, most = after, max(most, drawn)
        assert drawn + forfeited == most


CREDIT_STEPS = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9000), st.booleans()), max_size=8)


@given(first=st.integers(0, 600), gross=st.integers(0, 9000), steps=CREDIT_STEPS)
def test_nothing_but_growing_gives_forfeited_credit_back(
    first: int, gross: int, steps: list[tuple[int, int, bool]]
) -> None:
    drawn, forfeited = first, 0
    for after, costs, late in steps:
        kept = credit_kept(drawn, after, forfeited=forfeited, was=money(gross), is_now=money(costs), late=late)
        assert kept >= max(0, forfeited - max(0, after - drawn)), "given back more than it grew by"
        assert after + kept <= max(drawn + forfeited, after), "kept more than there was"
        assert late or kept <= forfeited, "nothing is forfeited in time"
        drawn, forfeited, gross = after, kept, costs


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


@pytest.mark.parametrize(("pool", "hourly"), [(minutes("room", 240), 60), (cents("room", 2420), 605)])
def test_no_later_change_gives_forfeited_credit_back_but_growing(
    house: House, pool: dict[str, Any], hourly: int
) -> None:
    room, member = house.room(rules={"cancellation": HALF_THEN_ALL}), house.member()
    with house.building() as session:
        membership = signed(session, member, house.space, credits=[pool])

    def left() -> int:
        with house.building() as session:
            return pool["amount"] + sum(entry[2] + entry[3] for entry in entries(session, membership))

    made = house.book(member, room, at(9), at(13))
    house.now = at(8)
    for by, change, expected in (
        (member, {"end": at(11)}, 0),
        (member, {"start": at(9)}, 0),
        (member, {"end": at(10)}, 0),
        (member, {"end": at(12)}, 0),
        (house.manager, {"start": at(10), "end": at(13)}, 0),
        (house.manager, {"end": at(11)}, 2 * hourly),
        (member, {"end": at(12)}, 2 * hourly),
    ):
        house.move(made, by=by, **change)
        assert left() == expected, (by.name, change)
    house.cancel(made, by=house.manager)
    assert left() == pool["amount"]


@pytest.mark.parametrize(
    ("first", "then", "drawn"),
    [
        pytest.param(29, None, (-240, 0), id="another cycle"),
        pytest.param(28, minutes("*", 240), (-240, 0), id="another kind in the same place of the plan of that day"),
        pytest.param(28, cents("room", 2420), (-120, -1210), id="cents instead of minutes"),
    ],
)
def test_a_late_move_to_other_credit_draws_of_both_and_gives_both_back(
    app: Flask, session: Session, clock: Clock, first: int, then: dict[str, Any] | None, drawn: tuple[int, int]
) -> None:
    space, member = a_space(session), a_member(session)
    room = a_room(session, space, rules={"cancellation": HALF_THEN_ALL})
    membership = signed(session, member, space, credits=[minutes("room", 240)])
    if then:
        moved_to(session, membership, a_version(session, space, credits=[then]), date(2026, 3, 31))
    api, staff = (Client(app, a_token(session, who)) for who in (member, a_manager(session, space)))
    session.commit()

    def added_up() -> tuple[int, int]:
        session.rollback()
        written = entries(session, membership)
        return sum(entry[2] for entry in written), sum(entry[3] for entry in written)

    clock.now = at(8, day=first)
    times = {"start": at(9, day=first).isoformat(), "end": at(13, day=first).isoformat()}
    booking = f"/bookings/{api.post('/bookings', json={'resource_id': str(room.uid), **times}).json['id']}"
    times = {"start": at(9, day=first + 1).isoformat(), "end": at(11, day=first + 1).isoformat()}
    moved = api.patch(booking, json=times, etag="*")
    assert (moved.status_code, moved.json["forfeited_minutes"]) == (200, 120), moved.json
    assert added_up() == drawn
    assert api.patch(booking, json={"start": times["start"]}, etag="*").status_code == 200
    assert added_up() == drawn
    assert staff.delete(booking, etag="*").status_code == 200
    assert added_up() == (0, 0)


def test_a_change_that_would_be_refused_says_so_in_its_quote(house: House) -> None:
    room, member = house.room(), house.member()
    made = house.book(member, room, at(9), at(11))
    house.book(house.member(), room, at(12), at(14))
    before = house.snapshot(made)
    quoted = house.quote_change(made, by=member, start=at(12))
    assert (quoted["booking"], quoted["refusal"]["code"]) == (None, "slot_taken")
    assert quoted["refusal"]["alternatives"]
    assert house.snapshot(made) == before
