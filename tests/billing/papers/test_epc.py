"""The square's text, a line for each field of EPC069-12, and when there is none."""

from __future__ import annotations

import pytest

from app.billing.papers import epc
from app.demo.numbers import be_iban, fr_iban

GIVEN = {
    "name": "Coopérative d’Ath", "iban": be_iban(7), "cents": 105_88, "currency": "EUR",
    "communication": "+++090/9337/55493+++",
}  # fmt: skip


def lines(**said: object) -> list[str] | None:
    told = epc.payload(**{**GIVEN, **said})  # type: ignore[arg-type]
    return told.split("\n") if told is not None else None


@pytest.mark.parametrize(
    ("said", "at", "expected"),
    [
        ({}, 0, "BCD"), ({}, 1, "002"), ({}, 2, "1"), ({}, 3, "SCT"), ({}, 4, ""),
        ({}, 5, "Coopérative d’Ath"), ({}, 6, be_iban(7)), ({}, 7, "EUR105.88"), ({}, 8, ""), ({}, 9, ""),
        ({}, 10, "+++090/9337/55493+++"),
        ({"cents": 1}, 7, "EUR0.01"), ({"cents": 10}, 7, "EUR0.10"), ({"cents": 100_000_000}, 7, "EUR1000000.00"),
        ({"cents": 99_999_999_999}, 7, "EUR999999999.99"),
        ({"name": "N" * 90}, 5, "N" * 70), ({"name": "a\nb\r\n c"}, 5, "a b c"),
        ({"iban": f"  {fr_iban(3)[:10]} {fr_iban(3)[10:]}".lower()}, 6, fr_iban(3)),
        ({"communication": "RF18 5390 0754 7034"}, 9, "RF18539007547034"),
        ({"communication": "F-2026-000001\nEUR9999"}, 10, "F-2026-000001 EUR9999"),
        ({"communication": "x" * 200}, 10, "x" * 140),
    ],
)  # fmt: skip
def test_each_field_is_on_its_line(said: dict[str, object], at: int, expected: str) -> None:
    told = lines(**said)
    assert told is not None and told[at] == expected


def test_empty_fields_at_the_end_are_left_out() -> None:
    told = lines(communication="")
    assert told is not None and told[-1] == "EUR105.88"


@pytest.mark.parametrize(
    "said",
    [
        {"currency": "CHF"}, {"cents": 0}, {"cents": -1}, {"cents": 100_000_000_000}, {"iban": ""},
        {"iban": "BE68539007547035"}, {"iban": "nonsense"}, {"kind": "credit_note"},
        {"name": "👩" * 70, "communication": "é" * 140},
    ],
    ids=["francs", "nothing", "owed back", "too much", "no account", "a wrong digit", "no IBAN", "a credit note",
         "too long"],
)  # fmt: skip
def test_there_is_none_where_it_would_pay_wrongly(said: dict[str, object]) -> None:
    assert lines(**said) is None


def test_every_iban_of_ours_is_one_and_any_changed_digit_makes_it_none() -> None:
    for account in (be_iban(1), be_iban(99), fr_iban(1), fr_iban(12345)):
        assert epc.is_iban(account)
        for at in range(4, len(account)):
            changed = account[:at] + str((int(account[at]) + 1) % 10) + account[at + 1 :]
            assert not epc.is_iban(changed)
