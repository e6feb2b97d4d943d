"""Amounts by hand in the boxes where the forms want them."""

from __future__ import annotations

import pytest

from app.billing.vat_return.boxes import FORMS, OTHER, Declared, fill

CASES = [
    ("BE: 21 % of 1 000,00", "BE", [("invoice", "S", 210, None, 100_000, 21_000)], {"03": 100_000, "54": 21_000}),
    (
        "BE: a credit note has boxes of its own",
        "BE",
        [("invoice", "S", 210, None, 100_000, 21_000), ("credit_note", "S", 210, None, 10_000, 2_100)],
        {"03": 100_000, "54": 21_000, "49": 10_000, "64": 2_100},
    ),
    ("BE: reverse charge in the Union", "BE", [("invoice", "AE", 0, "reverse_charge", 5_000, 0)], {"44": 5_000}),
    ("BE: its credit note", "BE", [("credit_note", "AE", 0, "reverse_charge", 5_000, 0)], {"48": 5_000}),
    ("BE: outside the Union", "BE", [("invoice", "O", 0, "outside_eu_art_44", 5_000, 0)], {"47": 5_000}),
    ("BE: a deposit is no supply", "BE", [("invoice", "O", 0, None, 5_000, 0)], {OTHER: 5_000}),
    ("BE: small business", "BE", [("invoice", "E", 0, "be_small_business_56bis", 5_000, 0)], {OTHER: 5_000}),
    (
        "FR: 20 % of 1 000,00",
        "FR",
        [("invoice", "S", 200, None, 100_000, 20_000)],
        {"A1": 100_000, "08": 100_000, "08-T": 20_000, "16": 20_000},
    ),
    (
        "FR: a credit note lessens",
        "FR",
        [("invoice", "S", 200, None, 100_000, 20_000), ("credit_note", "S", 200, None, 10_000, 2_000)],
        {"A1": 90_000, "08": 90_000, "08-T": 18_000, "16": 18_000},
    ),
    (
        "FR: Réunion beside the mainland",
        "FR",
        [("invoice", "S", 200, None, 10_000, 2_000), ("invoice", "S", 85, None, 10_000, 850)],
        {"A1": 20_000, "08": 10_000, "08-T": 2_000, "10": 10_000, "10-T": 850, "16": 2_850},
    ),
    ("FR: reverse charge in the Union", "FR", [("invoice", "AE", 0, "reverse_charge", 5_000, 0)], {"E2": 5_000}),
    ("FR: a deposit given back", "FR", [("credit_note", "O", 0, None, 5_000, 0)], {OTHER: -5_000}),
]


@pytest.mark.parametrize(("country", "declared", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_an_amount_is_in_its_box(country: str, declared: list[tuple], expected: dict[str, int]) -> None:  # type: ignore[type-arg]
    boxes = fill(country, [Declared(*each) for each in declared])
    assert {box: cents for box, cents in boxes.items() if cents} == expected


@pytest.mark.parametrize("country", FORMS)
def test_boxes_come_in_the_order_of_the_form_whatever_was_sold(country: str) -> None:
    assert list(fill(country, [])) == [*FORMS[country].labels, OTHER]
