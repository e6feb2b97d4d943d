"""Factur-X: the PDF that people receive, with its CII inside. Loaded by workers and commands alone, as drawing is.

Drawn from the same snapshot and look as the document's PDF, as PDF/A-3 (ISO 19005-3); the file within is
`factur-x.xml`, an alternative to what is drawn (Factur-X 1.0, 6.2). The same snapshot and look make the same octets.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from importlib.metadata import version

from app.billing.papers.document import Document
from app.billing.papers.figures import Figures, locale_of
from app.billing.papers.head import draw_head, foot, running_head, title_of
from app.billing.papers.labels import label
from app.billing.papers.look import Look
from app.billing.papers.sheet import Sheet
from app.billing.papers.sums import draw_sums
from app.billing.papers.table import draw_lines

NAME = "factur-x.xml"
VERSION = "fpdf2/" + version("fpdf2")
_URI = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_FIELDS = {
    "DocumentFileName": ("name of the embedded XML invoice file", NAME),
    "DocumentType": ("type of the document", "INVOICE"),
    "Version": ("version of the Factur-X standard", "1.0"),
    "ConformanceLevel": ("level of the embedded XML invoice", "EN 16931"),
}
# A PDF/A reader wants every field of its metadata that ISO 19005 does not know to be described beside it.
_SCHEMA = (
    '<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"'
    ' xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">'
    '<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">'
    f"<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
    f"<pdfaSchema:namespaceURI>{_URI}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    "<pdfaSchema:property><rdf:Seq>{described}</rdf:Seq></pdfaSchema:property>"
    "</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"
)
_PROPERTY = (
    '<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name>'
    "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>"
    "<pdfaProperty:description>{about}</pdfaProperty:description></rdf:li>"
)


def _extension() -> str:
    described = "".join(_PROPERTY.format(name=name, about=about) for name, (about, _) in _FIELDS.items())
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (_, value) in _FIELDS.items())
    said = f'<rdf:Description rdf:about="" xmlns:fx="{_URI}">{values}</rdf:Description>'
    return _SCHEMA.format(described=described) + said


class HybridSheet(Sheet):
    """A sheet whose metadata say that an invoice for machines is within."""

    def _xmp(self, language: str) -> str:
        return super()._xmp(language).replace("</rdf:RDF>", f"{_extension()}</rdf:RDF>")


def drawn(snapshot: str, look: Look, logo: bytes | None, cii: bytes) -> bytes:
    """The hybrid of a snapshot. Raises UnknownFormat."""
    document = Document.of(snapshot)
    figures = Figures(locale_of(document["locale"], document["buyer"]["country"]), document["currency"])
    sheet = HybridSheet(
        title=f"{title_of(document, figures.language)} {document['number']}",
        author=document["seller"]["name"],
        language=str(figures.locale).replace("_", "-"),
        issued_on=document["issued_on"],
        running=running_head(document, figures),
        foot=foot(document, figures),
        page_of=label("page", figures.language),
        accent=look.accent,
    )
    try:
        draw_head(sheet, document, figures, look, logo)
        draw_lines(sheet, document, figures, look)
        draw_sums(sheet, document, figures, look)
        at = datetime.combine(date.fromisoformat(document["issued_on"]), time(12), UTC)
        sheet.embed_file(
            bytes=cii, basename=NAME, desc="Factur-X", creation_date=at, modification_date=at, mime_type="text/xml",
            associated_file_relationship="Alternative", compress=True,
        )  # fmt: skip
        return bytes(sheet.output())
    finally:
        sheet.close_fonts()
