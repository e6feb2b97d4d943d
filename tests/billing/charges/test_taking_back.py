"""What a negative line of a membership takes back, by hand: at the VAT that it was charged at, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.charges.membership import changes_of, owed_of
from app.billing.charges.owing import Cents, Change, Standing
from tests.billing.charges.builders import MARCH, VAT_BE
from tests.billing.charges.till import a_fee

EXEMPT = {**VAT_BE, "permille": 0, "category": "E", "ground": "Code de la TVA, art. 44, § 3, 2°"}
RENAMED = {**VAT_BE, "ground": "Code de la TVA, art. 37"}
WITH_VAT, WITHOUT = ({**vat, "includes_vat": True} for vat in (VAT_BE, EXEMPT))


def charged(number: int, line: dict[str, Any]) -> Standing:
    owed = owed_of(line, party_id=1)
    return Standing(number, MARCH, False, owed.cents, owed.cents, owed)


def back(net: int, vat: dict[str, Any] = EXEMPT, **line: Any) -> dict[str, Any]:
    return a_fee(-net, kind="adjustment", vat=vat, **line)


def gross(cents: int, vat_cents: int, vat: dict[str, Any], kind: str = "cycle") -> dict[str, Any]:
    """A line of a price with VAT in it."""
    amounts = {"gross_cents": cents, "net_cents": cents - vat_cents, "vat_cents": vat_cents}
    return {**a_fee(kind=kind, vat=vat), **amounts}


def said(changes: Sequence[Change]) -> list[tuple[int | None, int, int, int]]:
    """What each corrects, its net, its VAT and its rate."""
    return [
        (change.corrects.charge_id if change.corrects else None, *change.owed.cents[1:], change.owed.vat.permille)
        for change in changes
    ]


@pytest.mark.parametrize(
    ("charges", "line", "expected"),
    [
        pytest.param([a_fee()], back(6000), [(1, -6000, -1260, 210)], id="exempt by now"),
        pytest.param([a_fee()], back(12000), [(1, -12000, -2520, 210)], id="all of it"),
        pytest.param([a_fee(vat=EXEMPT)], back(6000, VAT_BE), [(1, -6000, 0, 0)], id="taxed by now"),
        pytest.param([a_fee()], back(6000, RENAMED), [(1, -6000, -1260, 210)], id="a ground of another name"),
        pytest.param([gross(12100, 2100, WITH_VAT)], gross(-6050, 0, WITHOUT, "adjustment"), [(1, -5000, -1050, 210)],
                     id="a price with VAT is taken back with it"),
        pytest.param([gross(12100, 2100, WITH_VAT)], back(6000), [(None, -6000, 0, 0)], id="a price agreed otherwise"),
        pytest.param([a_fee(6000), a_fee(6000, vat=EXEMPT)], back(8000), [(2, -6000, 0, 0), (1, -2000, -420, 210)],
                     id="first what has the line's VAT"),
        pytest.param([a_fee(6000, vat=EXEMPT), a_fee(6000)], back(8000), [(1, -6000, 0, 0), (2, -2000, -420, 210)],
                     id="older as it may be"),
        pytest.param([a_fee(6000), a_fee(6000, vat=EXEMPT, version="v2")], back(7000),
                     [(1, -6000, -1260, 210), (2, -1000, 0, 0)], id="the same version before the same VAT"),
        pytest.param([a_fee(5000)], back(6000), [(1, -5000, -1050, 210), (None, -1000, 0, 0)], id="more than stands"),
        pytest.param([a_fee()], back(6000, version="v2"), [(None, -6000, 0, 0)], id="another version"),
        pytest.param([a_fee(days=(1, 9))], back(6000, days=(10, 31)), [(None, -6000, 0, 0)], id="other days"),
    ],
)  # fmt: skip
def test_what_is_owed_back_is_taken_back_at_the_vat_that_was_charged(
    charges: list[dict[str, Any]], line: dict[str, Any], expected: list[tuple[int | None, int, int, int]]
) -> None:
    standing = [charged(number, each) for number, each in enumerate(charges, start=1)]
    assert said(changes_of([line], standing, party_id=1)) == expected


@given(net=st.integers(1, 50_000), cuts=st.lists(st.integers(1, 9000), max_size=12))
def test_in_any_number_of_pieces_no_more_and_no_less_vat_comes_back_than_was_charged(net: int, cuts: list[int]) -> None:
    stands = charged(1, a_fee(net))
    while stands.base:
        piece = min(cuts.pop() if cuts else stands.base, stands.base)
        (change,) = changes_of([back(piece)], [stands], party_id=1)
        assert change.owed.cents.net == -piece
        stands = stands._replace(left=stands.left.plus(change.owed.cents))
        assert min(stands.left) >= 0
    assert stands.left == Cents()
