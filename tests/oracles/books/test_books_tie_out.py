"""Each operator's exported books and VAT returns, recomputed alone from its own documents, tie out to the cent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.oracles.books import planting
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


# --- the oracle notices

# What is planted, and the first of those who must object.
PLANTED: dict[Callable[[Exported], Exported], str] = {
    planting.a_lines_net: "documents: line",
    planting.a_tax_with_its_totals: "documents: VAT of",
    planting.a_tax_of_a_credit_note: "documents: VAT of",
    planting.what_is_due: "documents: totals of",
    planting.another_regime: "grounds: whether",
    planting.the_day_of_issue: "vat_returns: box",
    planting.the_buyer: "customers: ",
    planting.a_content_without_its_hash: "chains: hash of",
    planting.a_document_left_out: "chains: sequence of",
    planting.the_newest_document_left_out: "customers: what all owe",
    planting.an_octet_of_the_archive: "packing: SHA-256 of",
    planting.a_charge: "charges: charge ",
    planting.a_charge_left_out: "charges: charges that the archives lack",
    planting.a_listed_charge: "charges: charge ",
    planting.a_charge_on_no_document: "charges: charges on no document",
    planting.a_posting: "postings: postings that the ledger has not",
    planting.a_closing: "closings: documents of month",
    planting.a_payment: "customers: what all owe",
    planting.a_payment_left_out: "money: money on",
    planting.a_means_of_payment: "closings: payments of month",
    planting.a_box: "vat_returns: box",
    planting.an_account_of_the_trial_balance: "trial_balance: account",
    planting.a_row_of_the_ledger: "ledger: balance of entry",
    planting.an_entry_of_the_ledger: "ledger: turnover",
    planting.an_invoice_in_the_ledger: "customers: what all owe",
}


@pytest.mark.parametrize("house", HOUSES)
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_oracle_objects_to_a_cent(
    books: dict[str, Exported], house: str, plant: Callable[[Exported], Exported]
) -> None:
    told = objections(plant(books[house]))
    assert [fault for fault in told if fault.startswith(PLANTED[plant])], told


def test_planting_nothing_leaves_nothing_to_object_to(books: dict[str, Exported]) -> None:
    for exported in books.values():
        assert objections(planting.in_archive(exported, "documents.jsonl", lambda records: None)) == []
        assert objections(planting.document(exported, lambda content: None)) == []
        assert objections(planting.ledger(exported, {})) == []


def test_the_books_of_two_operators_do_not_pass_for_each_other(books: dict[str, Exported]) -> None:
    mine, other = books["a Belgian one"], books["a Belgian one with VAT in its prices"]
    for name in ("archives", "ledger", "trial_balance", "vat_returns", "charges"):
        assert objections(replace(mine, **{name: getattr(other, name)})) != [], name
