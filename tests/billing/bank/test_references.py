"""What a payer wrote is found however its separators were broken, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.bank import references
from tests.oracles.bank.debts import creditor_reference, twelve_of

T = twelve_of(4711)
HEADS = frozenset({"ATH-2026"})


@pytest.mark.parametrize(
    "text",
    [f"+++{T[:3]}/{T[3:7]}/{T[7:]}+++", T, f"loyer 12 {T[:3]} {T[3:7]} {T[7:]} merci", f"{T[:3]}.{T[3:7]}-{T[7:]}"],
)  # fmt: skip
def test_a_communication_is_found_in_any_grouping(text: str) -> None:
    assert T in references.communications(text)


@given(st.integers(0, 9_999_999), st.integers(0, 12), st.integers(0, 9))
def test_a_digit_too_many_is_no_communication(sequence: int, place: int, digit: int) -> None:
    twelve = twelve_of(sequence)
    assert references.communications(f"{twelve[:place]}{digit}{twelve[place:]}") == []


@given(st.integers(0, 9_999_999), st.data())
def test_a_digit_mistyped_is_one_digit_off(sequence: int, data: st.DataObject) -> None:
    twelve = twelve_of(sequence)
    place = data.draw(st.integers(0, 11))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != twelve[place]]))
    wrong = twelve[:place] + other + twelve[place + 1 :]
    assert references.communications(wrong) == [] and twelve in set(references.one_digit_off(wrong))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ATH-2026-000123", ["ATH-2026-000123"]),
        ("facture ath 2026/000123, merci", ["ATH-2026-000123"]),
        ("ATH2026000123", ["ATH-2026-000123"]),
        ("ATH-2026-0001234", ["ATH-2026-0001234"]),
        ("XATH-2026-000123", []),
        ("ATH-2026-000123B", []),
        ("ATH-2025-000123", []),
        ("ATH-2026-123", []),
    ],
)
def test_a_number_is_found_whole(text: str, found: list[str]) -> None:
    assert references.numbers(text, HEADS) == found


def test_a_creditor_reference_counts_only_with_its_check_digits() -> None:
    said = creditor_reference("ATH2026000123")
    assert "ATH2026000123" in list(references.creditor_references(f"ref {said[:4]} {said[4:8]} {said[8:]} merci"))
    assert "ATH2026000123" not in list(references.creditor_references(said.replace("RF", "RF9", 1)[:-1]))
