"""Which electronic forms a document needs, and which way they go: dated rows, read by one function. Pure.

Belgium: between Belgian taxable persons Peppol is the law since 1 January 2026 (loi du 6 février 2024; CTVA, art. 53);
to other countries' businesses it is an offer. France: all must receive since 1 September 2026, small companies must
emit from 1 September 2027 (loi de finances pour 2024, art. 91); documents are made from the first of these days on,
and sent once the operator says so. Private persons get none: in France their sales are reported, not sent.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from app.billing.einvoices.semantic import Document

FORMATS = ("peppol", "ubl-fr", "factur-x", "ubl", "cii")
PEPPOL, PLATFORM = "peppol", "platform"


class Need(NamedTuple):
    """Documents of a `seller` country to businesses (in `buyer`; null is any other) issued from a day on are made in
    `format`, and go by `route` where the operator has switched it on. Without a route they are an offer: whether a
    buyer elsewhere is on the network is for a person to know, who sends them one by one (wanting.send_again)."""

    format: str
    seller: str
    buyer: str | None
    valid_from: date
    route: str | None
    source: str


NEEDS: tuple[Need, ...] = (
    Need("peppol", "BE", "BE", date(2026, 1, 1), PEPPOL, "CTVA, art. 53 ; loi du 6 février 2024"),
    Need("peppol", "BE", None, date(2026, 1, 1), None, "an offer to the buyer"),
    Need("ubl-fr", "FR", "FR", date(2026, 9, 1), PLATFORM, "CGI, art. 289 bis"),
    Need("factur-x", "FR", "FR", date(2026, 9, 1), PLATFORM, "CGI, art. 289 bis"),
    Need("factur-x", "FR", None, date(2026, 9, 1), None, "an offer to the buyer; e-reporting is owed (CGI, art. 290)"),
)


def needs(document: Document) -> list[Need]:
    """What is to be made of a document; of those of one format, the row for the buyer's own country."""
    if not document.buyer.is_business:
        return []
    found: dict[str, Need] = {}
    for row in NEEDS:
        fits = row.seller == document.seller.state and row.valid_from.isoformat() <= document.issued_on
        if fits and row.buyer in (None, document.buyer.state):
            found.setdefault(row.format, row)
    return list(found.values())


def lacking(document: Document, format: str) -> list[str]:
    """What a format demands and the document does not have, in words that name the remedy; nothing where it can."""
    wants_addresses = format in ("peppol", "ubl-fr")
    wants_siren = format == "ubl-fr" or (format in ("cii", "factur-x") and document.seller.state == "FR")
    found = []
    for who, party in (("seller", document.seller), ("buyer", document.buyer)):
        if wants_addresses and party.address is None:
            found.append(f"the {who} has no electronic address: give its company or VAT number")
    if wants_siren and (document.seller.legal is None or document.seller.legal.scheme != "0002"):
        found.append("the seller has no SIREN: give its company number")
    if format == "ubl-fr" and not document.buyer.is_business:
        found.append("the buyer is a private person: its sales are reported, not sent")
    return found


def default_xml(document: Document) -> str:
    """The XML that a document is shown in: its country's, or without addresses the plain standard."""
    own = {"BE": "peppol", "FR": "ubl-fr"}.get(document.seller.state, "ubl")
    return own if not lacking(document, own) else "ubl"
