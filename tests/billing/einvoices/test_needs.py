"""What is made of which document, and which way it goes: by parties and day, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from app.billing.einvoices.needs import default_xml, lacking, needs
from app.billing.einvoices.reading import document
from tests.billing.einvoices.cases import BE, DUTCH, FR, NANTES, PRIVATE, one
from tests.billing.einvoices.corpus import ATH, buyer

REUNION = FR._replace(country="RE")
PEPPOL, BOTH = [("peppol", "peppol")], [("ubl-fr", "platform"), ("factur-x", "platform")]


@pytest.mark.parametrize(
    ("sold_by", "to", "issued_on", "wanted"),
    [
        (ATH, BE, "2025-12-31", []),
        (ATH, BE, "2026-01-01", PEPPOL),
        (ATH, PRIVATE, "2026-10-01", []),
        (ATH, DUTCH, "2026-10-01", [("peppol", None)]),
        (NANTES, FR, "2026-08-31", []),
        (NANTES, FR, "2026-09-01", BOTH),
        (NANTES, REUNION, "2026-09-01", BOTH),
        (NANTES, BE, "2026-09-01", [("factur-x", None)]),
        (NANTES, buyer("FR", business=False), "2026-10-01", []),
    ],
)
def test_parties_and_day_decide(sold_by: Any, to: Any, issued_on: str, wanted: list[tuple[str, str | None]]) -> None:
    read = document({**one(1000, sold_by=sold_by, to=to), "issued_on": issued_on})
    assert [(need.format, need.route) for need in needs(read)] == wanted


@pytest.mark.parametrize(
    ("sold_by", "to", "format", "shown"),
    [
        (ATH, BE, None, "peppol"),
        (ATH, PRIVATE, "peppol", "ubl"),
        (ATH, BE._replace(company_number=None, vat_number=None), "peppol", "ubl"),
        (ATH, BE, "ubl-fr", "peppol"),
        (NANTES, FR, None, "ubl-fr"),
        (NANTES, buyer("FR", business=False), "ubl-fr", "ubl"),
        (NANTES._replace(company_number="", vat_number=None), FR, "cii", "ubl"),
    ],
)
def test_what_a_format_lacks_is_said_and_another_is_shown(
    sold_by: Any, to: Any, format: str | None, shown: str
) -> None:
    read = document(one(1000, sold_by=sold_by, to=to))
    assert default_xml(read) == shown
    assert bool(format and lacking(read, format)) is bool(format)
    assert lacking(read, "ubl") == []
