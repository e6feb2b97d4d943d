"""Each operator's exported books and VAT returns, recomputed alone from its own documents, tie out to the cent."""

from __future__ import annotations

import json

import pytest

from tests.oracles.books.oracle import objections
from tests.oracles.books.reading import Exported

HOUSES = (
    "a Belgian one",
    "a French one",
    "an exempt Belgian one",
    "a Belgian one with VAT in its prices",
    "a French one without VAT in its prices",
)


@pytest.mark.parametrize("house", HOUSES)
def test_the_books_of_each_operator_tie_out_to_the_cent(books: dict[str, Exported], house: str) -> None:
    assert objections(books[house]) == []


# --- the story has what it is told for


def taxes(exported: Exported) -> set[tuple[str, str, int]]:
    return {
        (content["kind"], tax["category"], tax["permille"]) for content in exported.contents for tax in content["taxes"]
    }


def test_both_kinds_of_documents_come_at_each_rate_that_a_country_has_here(books: dict[str, Exported]) -> None:
    both = ("invoice", "credit_note")
    assert {(kind, "S", 210) for kind in both} <= taxes(books["a Belgian one"])
    assert {(kind, "S", 200) for kind in both} <= taxes(books["a French one"])
    assert {(kind, "E", 0) for kind in both} <= taxes(books["an exempt Belgian one"])
    assert not any(permille for _, _, permille in taxes(books["an exempt Belgian one"]))


def test_a_french_company_pays_belgian_vat_for_a_room_in_belgium(books: dict[str, Exported]) -> None:
    to_france = [content for content in books["a Belgian one"].contents if content["buyer"]["country"] == "FR"]
    rooms = [line for content in to_france for line in content["lines"] if line["kind"] == "booking"]
    assert {(line["vat"]["category"], line["vat"]["permille"]) for line in rooms} == {("S", 210)}


@pytest.mark.parametrize(
    ("house", "filled"),
    [
        ("a Belgian one", {"03", "49", "54", "64"}),
        ("a French one", {"08", "08-T", "16", "A1", "E2"}),
        ("an exempt Belgian one", {"44", "47", "48", "other"}),
        ("a Belgian one with VAT in its prices", {"03", "44", "47", "48", "49", "54", "64"}),
        ("a French one without VAT in its prices", {"08", "08-T", "16", "A1", "E2"}),
    ],
)
def test_the_return_of_the_year_has_these_boxes(books: dict[str, Exported], house: str, filled: set[str]) -> None:
    year = json.loads(books[house].vat_returns[-1])
    assert {box["box"] for box in year["boxes"] if box["amount_cents"]} == filled


def test_documents_are_issued_in_each_of_three_months(books: dict[str, Exported]) -> None:
    for house in ("a Belgian one with VAT in its prices", "a French one without VAT in its prices"):
        months = {content["issued_on"][:7] for content in books[house].contents}
        assert months == {"2026-03", "2026-04", "2026-05"}


def test_no_document_is_in_the_books_of_two(books: dict[str, Exported]) -> None:
    hashes = [record["hash"] for exported in books.values() for record in exported.documents]
    assert len(hashes) == len(set(hashes)) > 30
