"""Factur-X: the PDF that people receive, PDF/A-3 by its marks, with the document for machines inside."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from pypdf import PdfReader

from app.billing.einvoices.factur_x import drawn
from app.billing.einvoices.reading import document
from app.billing.einvoices.writing import xml
from app.billing.invoices.canonical import canonical
from app.billing.papers.drawing import draw
from app.billing.papers.look import Look
from tests.billing.einvoices.cases import CASES
from tests.billing.einvoices.reader import read

LOOK = Look(accent="#aa2244", logo=None, text="Merci")


def hybrid(content: dict[str, Any]) -> bytes:
    return drawn(canonical(content), LOOK, None, xml(document(content), "factur-x"))


@pytest.mark.parametrize("name", ["FR to FR, at 10 and 20 %", "FR to FR, credit note", "FR to FR, long names"])
def test_the_document_for_machines_is_inside_and_marked_as_the_standard_wants(name: str) -> None:
    content = CASES[name]()
    octets = hybrid(content)
    root: Any = PdfReader(io.BytesIO(octets)).trailer["/Root"]
    (associated,) = [each.get_object() for each in root["/AF"]]
    assert (associated["/AFRelationship"], associated["/UF"], associated["/F"]) == (
        "/Alternative", "factur-x.xml", "factur-x.xml",
    )  # fmt: skip
    names = root["/Names"]["/EmbeddedFiles"]["/Names"]
    assert names[0] == "factur-x.xml" and names[1].get_object() == associated
    stream = associated["/EF"]["/F"].get_object()
    assert stream["/Subtype"] == "/text/xml" and "/ModDate" in stream["/Params"]
    assert stream.get_data() == xml(document(content), "cii")
    assert read(stream.get_data())["gross_cents"] == content["totals"]["gross_cents"]
    (intent,) = [each.get_object() for each in root["/OutputIntents"]]
    assert intent["/S"] == "/GTS_PDFA1" and intent["/DestOutputProfile"].get_object().get_data()
    metadata = root["/Metadata"].get_object().get_data().decode()
    for said in ("<pdfaid:part>3<", "<pdfaid:conformance>B<", "<fx:DocumentFileName>factur-x.xml<",
                 "<fx:DocumentType>INVOICE<", "<fx:Version>1.0<", "<fx:ConformanceLevel>EN 16931<"):  # fmt: skip
        assert said in metadata
    described = set(re.findall(r"<pdfaProperty:name>(\w+)<", metadata))
    assert described == set(re.findall(r"<fx:(\w+)>", metadata)), "every field is described"


def test_it_reads_as_the_paper_does_and_is_the_same_whenever_it_is_drawn() -> None:
    content = CASES["FR to FR, one line at 20 %"]()
    octets = hybrid(content)
    assert octets == hybrid(content)
    texts = [
        [page.extract_text() for page in PdfReader(io.BytesIO(each)).pages]
        for each in (octets, draw(canonical(content), LOOK))
    ]
    assert texts[0] == texts[1]
