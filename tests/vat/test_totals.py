from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vat.totals import Item, Tax, Totals, document_totals

GROUND = "any"


def net(cents: int, permille: int = 210) -> Item:
    return Item(cents, False, permille, "S", GROUND, None)


def gross(cents: int, permille: int = 210) -> Item:
    return Item(cents, True, permille, "S", GROUND, None)


def exempt(cents: int, ground: str, mention: str | None, category: str = "E") -> Item:
    return Item(cents, True, 0, category, ground, mention)


def sums(totals: Totals) -> tuple[int, int, int]:
    return totals.net_cents, totals.vat_cents, totals.gross_cents


@pytest.mark.parametrize(
    ("items", "expected", "item_nets"),
    [
        pytest.param([], (0, 0, 0), (), id="a document of nothing"),
        pytest.param([net(10000)], (10000, 2100, 12100), (10000,), id="21 % on top"),
        pytest.param([gross(12100)], (10000, 2100, 12100), (10000,), id="21 % inside"),
        pytest.param([net(333)] * 3, (999, 210, 1209), (333, 333, 333), id="209.79 at once, not three times 70"),
        pytest.param([net(50)], (50, 11, 61), (50,), id="10.5 goes up"),
        pytest.param([net(-50)], (-50, -11, -61), (-50,), id="and away from zero when it is given back"),
        pytest.param([gross(100)] * 3, (248, 52, 300), (83, 83, 82), id="three times a euro stays three euros"),
        pytest.param([gross(3)], (2, 1, 3), (2,), id="three cents, which no net price plus 21 % gives"),
        pytest.param([gross(1)] * 3, (2, 1, 3), (1, 1, 0), id="three single cents hold one cent of VAT"),
        pytest.param([gross(1)], (1, 0, 1), (1,), id="one cent holds none"),
        pytest.param([net(100), gross(100)], (183, 38, 221), (100, 83), id="both kinds, 21 + 17.355 rounded once"),
        pytest.param([gross(5000), gross(-1250)], (3099, 651, 3750), (4132, -1033), id="a booking and its correction"),
        pytest.param([gross(5000), gross(-5000)], (0, 0, 0), (4132, -4132), id="charged and given back: nothing"),
        pytest.param([net(1000, 200), net(1000, 210)], (2000, 410, 2410), (1000, 1000), id="two rates"),
        pytest.param([gross(1000, 85)], (922, 78, 1000), (922,), id="8.5 % inside"),
    ],
)
def test_a_document_adds_up(items: list[Item], expected: tuple, item_nets: tuple) -> None:
    totals = document_totals(items)
    assert sums(totals) == expected
    assert totals.item_net_cents == item_nets


def test_each_rate_has_its_line_and_each_ground_for_charging_none_its_own() -> None:
    items = [
        exempt(5000, "CTVA, art. 44", "be_letting_exempt"),
        net(1000),
        exempt(700, "art. 56bis", "be_small_business_56bis"),
        net(500, 200),
        exempt(300, "CTVA, art. 44", "be_letting_exempt"),
    ]
    assert document_totals(items).taxes == (
        Tax("S", 210, 1000, 210, GROUND, None),
        Tax("S", 200, 500, 100, GROUND, None),
        Tax("E", 0, 5300, 0, "CTVA, art. 44", "be_letting_exempt"),
        Tax("E", 0, 700, 0, "art. 56bis", "be_small_business_56bis"),
    )


def test_one_rate_on_two_grounds_is_rounded_once_and_names_both() -> None:
    items = [Item(50, False, 210, "S", "b", None), Item(50, False, 210, "S", "a", "option")]
    assert document_totals(items).taxes == (Tax("S", 210, 100, 21, "a ; b", "option"),)


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        document_totals([net(100, -1)])


ITEMS = st.lists(
    st.builds(
        Item,
        cents=st.integers(-(10**7), 10**7),
        includes_vat=st.booleans(),
        permille=st.sampled_from([0, 55, 85, 196, 200, 210]),
        category=st.sampled_from(["S", "E"]),
        ground=st.sampled_from(["a", "b"]),
        mention=st.none() | st.just("m"),
    ),
    max_size=12,
)


@given(ITEMS)
def test_the_lines_sum_to_the_net_and_net_and_vat_to_the_gross(items: list[Item]) -> None:
    totals = document_totals(items)
    assert sum(totals.item_net_cents) == totals.net_cents == sum(tax.net_cents for tax in totals.taxes)
    assert totals.gross_cents == totals.net_cents + totals.vat_cents
    assert totals.vat_cents == sum(tax.vat_cents for tax in totals.taxes)


@given(ITEMS)
def test_a_line_without_vat_in_its_price_keeps_it_and_any_other_is_within_a_cent_of_exact(items: list[Item]) -> None:
    for item, cents in zip(items, document_totals(items).item_net_cents, strict=True):
        exact = Fraction(item.cents * 1000, 1000 + item.permille) if item.includes_vat else Fraction(item.cents)
        assert abs(cents - exact) < (1 if item.includes_vat else Fraction(1, 10**9))


@given(ITEMS)
def test_the_vat_of_a_rate_is_the_exact_vat_rounded_half_away_from_zero(items: list[Item]) -> None:
    for tax in document_totals(items).taxes:
        own = [each for each in items if (each.category, each.permille) == (tax.category, tax.permille)]
        exact = sum(
            (Fraction(each.cents * each.permille, 1000 + each.permille * each.includes_vat) for each in own),
            Fraction(),
        )
        rounded = int(abs(exact) + Fraction(1, 2)) * (-1 if exact < 0 else 1)
        assert tax.vat_cents == rounded


@given(ITEMS)
def test_a_group_priced_with_vat_keeps_its_gross(items: list[Item]) -> None:
    priced = [item._replace(includes_vat=True) for item in items]
    totals = document_totals(priced)
    assert totals.gross_cents == sum(item.cents for item in priced)
    for tax in totals.taxes:
        if tax.permille:
            own = [each.cents for each in priced if (each.category, each.permille) == (tax.category, tax.permille)]
            assert tax.net_cents + tax.vat_cents == sum(own)


@given(ITEMS, st.randoms())
def test_the_order_of_the_lines_changes_no_total(items: list[Item], random) -> None:
    shuffled = random.sample(items, len(items))
    assert document_totals(shuffled)[1:] == document_totals(items)[1:]


@given(ITEMS)
def test_the_same_document_given_back_has_the_same_totals_below_zero(items: list[Item]) -> None:
    there, back = document_totals(items), document_totals([item._replace(cents=-item.cents) for item in items])
    assert sums(back) == tuple(-cents for cents in sums(there))
    assert [tax.vat_cents for tax in back.taxes] == [-tax.vat_cents for tax in there.taxes]
