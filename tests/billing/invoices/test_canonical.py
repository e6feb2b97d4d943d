"""One way to write a document, structured communications with their check digits, statuses by the day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.be import ogm_vcs

from app.billing.invoices.canonical import NotCanonical, canonical, digest
from app.billing.invoices.communications import SeriesFull, communication, is_structured, structured
from app.billing.invoices.issuers import prefix_of
from app.billing.invoices.standing import status


def test_the_same_content_is_written_the_same_whatever_the_order() -> None:
    assert canonical({"b": [1, None, True], "a": {"é": "x"}}) == '{"a":{"é":"x"},"b":[1,null,true]}'
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert digest("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"


@pytest.mark.parametrize("value", [1.0, Decimal("1"), date(2026, 3, 1), (1,), b"x", float("nan")])
def test_what_has_no_one_way_to_be_written_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical({"a": [value]})
    with pytest.raises(NotCanonical):
        canonical({1: "x"})  # type: ignore[dict-item]


@given(st.integers(0, 10**10 - 1))
def test_a_structured_communication_is_one_for_others_too(number: int) -> None:
    text = structured(number)
    assert is_structured(text)
    assert ogm_vcs.is_valid(text.strip("+"))


def test_a_remainder_of_nought_is_written_97() -> None:
    assert structured(0) == "+++000/0000/00097+++"
    assert structured(97) == "+++000/0000/09797+++"
    assert structured(909337554) == "+++090/9337/55493+++"


@pytest.mark.parametrize("text", ["+++090/9337/55494+++", "ATH-2026-000001", "", "+++090/9337/5549+++"])
def test_what_is_not_one_is_told(text: str) -> None:
    assert not is_structured(text)


def test_no_two_documents_of_an_operator_share_a_communication() -> None:
    told = {
        communication(country="BE", series=f"{letter}{year}", sequence=n, number="")
        for letter in "IC" for year in (2026, 2027) for n in (1, 2, 9_999_999)
    }  # fmt: skip
    assert len(told) == 12
    with pytest.raises(SeriesFull):
        communication(country="BE", series="I2026", sequence=10_000_000, number="")
    assert communication(country="FR", series="I2026", sequence=1, number="NAN-2026-000001") == "NAN-2026-000001"


@pytest.mark.parametrize(
    ("kind", "settled", "today", "sent", "expected"),
    [
        ("monthly", 0, date(2026, 5, 1), False, "finalised"),
        ("monthly", 0, date(2026, 5, 1), True, "sent"),
        ("monthly", 0, date(2026, 5, 2), True, "overdue"),
        ("monthly", 99, date(2026, 5, 2), False, "overdue"),
        ("monthly", 100, date(2026, 5, 2), False, "paid"),
        ("credit_note", 0, date(2027, 1, 1), False, "finalised"),
        ("credit_note", 0, date(2027, 1, 1), True, "sent"),
    ],
)
def test_where_a_document_stands(kind: str, settled: int, today: date, sent: bool, expected: str) -> None:
    at = datetime(2026, 4, 2, tzinfo=UTC) if sent else None
    stands = status(kind=kind, gross_cents=100, settled=settled, due_on=date(2026, 5, 1), sent_at=at, today=today)
    assert stands == expected


@pytest.mark.parametrize(
    ("town", "prefix"), [("Ath", "ATH"), ("Liège", "LIE"), ("L'Isle", "LIS"), ("42", "DOC"), ("", "DOC")]
)
def test_a_prefix_comes_from_the_town(town: str, prefix: str) -> None:
    assert prefix_of(town) == prefix
