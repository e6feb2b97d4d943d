"""The corpus before the official rules, a process for each family; what is broken on purpose is caught; and read back,
every amount is the snapshot's."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.billing.einvoices import checking
from app.billing.einvoices.needs import lacking
from app.billing.einvoices.official import FAMILIES, Judgement
from app.billing.einvoices.reading import document, read
from app.billing.einvoices.semantic import Document
from app.billing.einvoices.writing import xml
from app.billing.invoices.canonical import canonical
from tests.billing.einvoices.cases import CASES
from tests.billing.einvoices.reader import read as read_back

DOCUMENTS: dict[str, dict[str, Any]] = {name: make() for name, make in CASES.items()}
READ: dict[str, Document] = {name: document(content) for name, content in DOCUMENTS.items()}


def formats_of(each: Document) -> list[str]:
    """Peppol for whoever is on it, France's for French sellers, the plain ones for all."""
    own = {"BE": ["peppol"], "FR": ["ubl-fr", *(["peppol"] if each.is_self_billed else [])]}[each.seller.country]
    return [format for format in (*own, "ubl", "cii") if not lacking(each, format)]


FILES = [(name, format) for name, each in READ.items() for format in formats_of(each)]

BE, BE_CREDIT, FR = "BE to BE, one line at 21 %", "BE to BE, credit note", "FR to FR, one line at 20 %"

# One document broken on purpose for each family: which case, in which format, how, and the rule that must say so.
BROKEN: dict[str, tuple[str, str, tuple[str, str], str]] = {
    "xsd-ubl-invoice": (BE, "ubl", ("cbc:IssueDate>", "cbc:IssuedOn>"), "xsd"),
    "xsd-ubl-credit-note": (BE_CREDIT, "ubl", ("cbc:CreditedQuantity", "cbc:InvoicedQuantity"), "xsd"),
    "xsd-cii": (BE, "cii", ("ram:GrandTotalAmount", "ram:GrandAmount"), "xsd"),
    "en16931-ubl": (BE, "ubl", (">121.00</cbc:TaxI", ">121.01</cbc:TaxI"), "BR-CO-15"),
    "peppol": (BE, "peppol", ("cbc:BuyerReference>", "cbc:AccountingCost>"), "PEPPOL-EN16931-R003"),
    "fr-ctc-ubl": (FR, "ubl-fr", ("#PMT#", "PMT "), "BR-FR-05_BT-22-1"),
    "factur-x": (FR, "cii", ("DuePayableAmount>120.00", "DuePayableAmount>119.99"), "BR-CO-16"),
    "fr-ctc-cii": (FR, "cii", ("ram:SubjectCode>PMD<", "ram:SubjectCode>AAI<"), "BR-FR-05_BT-22_PMD"),
}  # fmt: skip


def written(name: str, format: str) -> bytes:
    return xml(READ[name], format)


@pytest.fixture(scope="module")
def judgements(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Judgement]]:
    """What each family says of each file, by `case.format`, and of its broken one under `broken`."""
    folder = tmp_path_factory.mktemp("corpus")
    asked: dict[str, list[Path]] = {family: [] for family in FAMILIES}
    for number, (name, format) in enumerate(FILES):
        path = folder / f"{number:03d}.xml"
        path.write_bytes(written(name, format))
        known = folder / f"{number:03d}.known.xml"
        known.write_bytes(checking.restated(path.read_bytes()))
        each = READ[name]
        for family in checking.families(format, is_credit_note=each.is_credit_note, seller_country=each.seller.country):
            asked[family].append(known if family == "peppol" else path)
    for family, (name, format, harm, _) in BROKEN.items():
        text = written(name, format).decode()
        assert harm[0] in text
        path = folder / f"broken-{family}.xml"
        path.write_text(text.replace(*harm))
        asked[family].append(path)
    return {
        family: {Path(each.file).stem: each for each in checking.judged(family, paths)}
        for family, paths in asked.items()
    }


def test_the_corpus_is_of_forty_documents_and_more_of_every_sort() -> None:
    assert len(CASES) >= 40
    kinds = {each.type_code for each in READ.values()}
    assert kinds == {"380", "381", "389", "261"}
    assert {tax.category for each in READ.values() for tax in each.taxes} == {"S", "E", "AE", "O"}
    assert {tax.permille for each in READ.values() for tax in each.taxes} == {0, 60, 85, 100, 120, 200, 210}
    assert {each.buyer.country for each in READ.values()} >= {"BE", "FR", "NL", "DE", "GB"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_document_satisfies_the_official_rules(family: str, judgements: dict[str, dict[str, Judgement]]) -> None:
    judged = {name: each for name, each in judgements[family].items() if not name.startswith("broken")}
    assert len(judged) >= 15, "the family has judged hardly anything"
    assert checking.errors_of(judged.values()) == []


@pytest.mark.parametrize("family", BROKEN)
def test_what_is_broken_on_purpose_is_caught(family: str, judgements: dict[str, dict[str, Judgement]]) -> None:
    errors = judgements[family][f"broken-{family}"].errors
    assert BROKEN[family][3] in {error["rule"] for error in errors}


def test_only_what_newer_lists_allow_is_restated_for_the_peppol_rules_at_hand() -> None:
    changed = {
        name
        for name, format in FILES
        if format == "peppol" and checking.restated(written(name, format)) != written(name, format)
    }
    french_buyers = {name for name, each in READ.items() if "FR" in (each.buyer.country, each.seller.country)}
    assert changed <= french_buyers | {name for name, each in READ.items() if each.is_self_billed}


@pytest.mark.parametrize(("name", "format"), FILES)
def test_read_back_it_says_what_the_snapshot_says(name: str, format: str) -> None:
    content, said = DOCUMENTS[name], read_back(written(name, format))
    totals = content["totals"]
    assert (said["number"], said["issued_on"]) == (content["number"], content["issued_on"])
    assert (said["net_cents"], said["vat_cents"], said["gross_cents"], said["due_cents"]) == (
        totals["net_cents"], totals["vat_cents"], totals["gross_cents"], totals["due_cents"],
    )  # fmt: skip
    assert said["due_cents"] == said["gross_cents"] - said["paid_cents"] + said["rounding_cents"]
    assert said["lines_cents"] == said["net_cents"] == sum(line["net_cents"] for line in said["lines"])
    told = [(int(line["no"]), line["net_cents"], line["category"], line["permille"]) for line in said["lines"]]
    assert told == [
        (line["no"], line["net_cents"], line["vat"]["category"], line["vat"]["permille"]) for line in content["lines"]
    ]
    for line in said["lines"]:
        assert abs(line["product"] - line["net_cents"]) < Decimal("0.5"), "quantity times price is another amount"
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for tax in content["taxes"]:
        net, vat = sums.get((tax["category"], tax["permille"]), (0, 0))
        sums[tax["category"], tax["permille"]] = (net + tax["net_cents"], vat + tax["vat_cents"])
    assert said["taxes"] == sums
    credit = content["kind"] == "credit_note"
    assert said["corrects"] == (content["corrects"]["number"] if credit else None)
    assert said["iban"] == (None if credit else content["payment"]["iban"])
    assert said["period"] == (tuple(content["period"].values()) if content["period"] else None)
    assert (said["seller"], said["buyer"]) == (content["seller"]["name"], content["buyer"]["name"])
    assert said["order"] == content["buyer"]["purchase_order"]


def test_the_same_snapshot_is_the_same_octets_whenever_it_is_written() -> None:
    for name, format in FILES:
        again = read(canonical(json.loads(json.dumps(DOCUMENTS[name]))))
        assert xml(again, format) == written(name, format)
