"""A document in a format: one table from formats to what writes them, and what a file of each is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.billing.einvoices import cii, ubl
from app.billing.einvoices.needs import lacking
from app.billing.einvoices.semantic import Document
from app.errors import Problem

XML, PDF = "application/xml", "application/pdf"
VERSION = 1  # of what is written: another number where the same snapshot is written otherwise


class CannotBeWritten(Problem):
    """The document lacks something that the format cannot be without; `lacking` says what, and the remedy."""

    code = "einvoice_impossible"
    status = 409
    title = "This document cannot be written in that format."


class Format(NamedTuple):
    mimetype: str
    write: Callable[[Document], bytes]


FORMATS: Mapping[str, Format] = {
    "peppol": Format(XML, ubl.peppol),
    "ubl-fr": Format(XML, ubl.french),
    "ubl": Format(XML, ubl.plain),
    "cii": Format(XML, cii.written),
    "factur-x": Format(PDF, cii.written),  # the XML within; factur_x draws the rest
}


def xml(document: Document, format: str) -> bytes:
    """The XML of a document in a format, of Factur-X the one within. Raises CannotBeWritten."""
    if missing := lacking(document, format):
        raise CannotBeWritten(format=format, lacking=missing)
    return FORMATS[format].write(document)


def file_name(number: str, format: str) -> str:
    """What a file of a document is called where people see it."""
    return f"{number}.{'pdf' if FORMATS[format].mimetype == PDF else 'xml'}"
