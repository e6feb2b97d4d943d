"""What answers mean, and which files are none: no database is asked."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from app.billing.einvoices.answers import CODES, MOST_OCTETS, Meaning, Unreadable, meaning, parse
from app.billing.einvoices.models import EInvoicing
from app.billing.einvoices.sending import goes
from tests.billing.einvoices.answered import NO_ANSWERS, UBL_ANSWER

OPERATOR = UUID(int=7)


@pytest.mark.parametrize(
    ("kind", "code", "state"),
    [
        ("invoice_response", "AP", "accepted"),
        ("invoice_response", "PD", "accepted"),
        ("invoice_response", "UQ", "delivered"),
        ("invoice_response", "RE", "rejected"),
        ("mlr", "AP", "delivered"),
        ("mlr", "RE", "rejected"),
    ],
)
def test_peppols_answers_in_ubl(kind: str, code: str, state: str) -> None:
    answer = parse(UBL_ANSWER.format(kind=kind, code=code, number="ATH-2026-000001").encode(), operator_uid=OPERATOR)
    assert meaning(answer).state == state
    assert (answer.number, answer.reason) == ("ATH-2026-000001", "Because")
    assert answer.at == datetime(2026, 10, 2, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize("code", CODES)
def test_every_code_in_json_by_number_or_id(code: str) -> None:
    for named in ({"number": "ATH-2026-000001"}, {"id": str(UUID(int=9))}):
        answer = parse(json.dumps({**named, "status": code.lower()}).encode(), operator_uid=OPERATOR)
        assert meaning(answer) == CODES[code]
    assert CODES["213"] == CODES["RE"] == Meaning("rejected", True)


@pytest.mark.parametrize(
    "octets",
    [*NO_ANSWERS[:-1], b"{" + b" " * MOST_OCTETS, b'{"number": "X", "status": "AP", "at": "?"}'],
    ids=lambda octets: repr(octets[:40]),
)
def test_what_is_no_answer_says_why(octets: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(octets, operator_uid=OPERATOR)
    assert str(refused.value)


def test_what_no_database_keeps_and_nobody_sees_is_a_blank_and_what_is_long_is_cut() -> None:
    said = {"number": " ATH-1\x00\x1b ", "status": "\nre\u0000", "reason": "no\u0000pe\ud800é" + "x" * 600}
    answer = parse(json.dumps(said).encode(), operator_uid=OPERATOR)
    assert (answer.number, answer.code, answer.reason[:7], len(answer.reason)) == ("ATH-1", "RE", "no pe é", 500)
    assert parse(b'{"number": "X", "status": 213}', operator_uid=OPERATOR).code == "213"


@pytest.mark.parametrize(
    ("chosen", "route", "format", "sent"),
    [
        ({"peppol_from": date(2026, 10, 1)}, "peppol", "peppol", True),
        ({"peppol_from": date(2026, 10, 2)}, "peppol", "peppol", False),
        ({}, "peppol", "peppol", False),
        ({"platform_from": date(2026, 1, 1)}, "peppol", "peppol", False),
        ({"platform_from": date(2026, 1, 1)}, "platform", "ubl-fr", True),
        ({"platform_from": date(2026, 1, 1)}, "platform", "factur-x", False),
        ({"peppol_from": date(2026, 1, 1)}, None, "ubl", False),
    ],
)
def test_what_goes_is_for_the_operator_to_choose(
    chosen: dict[str, date], route: str | None, format: str, sent: bool
) -> None:
    settings = EInvoicing(operator_id=1, platform_format="ubl-fr", **chosen)
    assert goes(settings, route=route, format=format, issued_on=date(2026, 10, 1)) is sent
