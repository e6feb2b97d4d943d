"""The upper part of a document's first page: who sends it, what it is, to whom, and the facts of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from app.billing.papers.document import Document
from app.billing.papers.figures import Figures
from app.billing.papers.labels import label
from app.billing.papers.look import Look
from app.billing.papers.sheet import GREY, LEFT, RIGHT, TOP, Sheet

LOGO_WIDTH, LOGO_HEIGHT = 62.0, 20.0
ADDRESS_LEFT, ADDRESS_TOP = 112.0, 52.0  # where envelopes of Belgium and France have their window
COLUMN = 84.0


def draw_head(sheet: Sheet, document: Document, figures: Figures, look: Look, logo: bytes | None) -> None:
    """Leaves the sheet below all of it."""
    _draw_title(sheet, document, figures, look)
    below = _draw_seller(sheet, document, figures, look, logo)
    buyer = _draw_buyer(sheet, document["buyer"], figures)
    facts = _draw_facts(sheet, document, figures, max(below + 5, ADDRESS_TOP))
    sheet.set_y(max(buyer, facts) + 7)


def title_of(document: Document, language: str) -> str:
    return label(document.title, language, document["seller"]["country"])


def _draw_title(sheet: Sheet, document: Document, figures: Figures, look: Look) -> None:
    title = title_of(document, figures.language)
    y = sheet.write_at(
        ADDRESS_LEFT, TOP - 1, title, size=21, style="B", colour=look.heading, width=RIGHT - ADDRESS_LEFT
    )
    sheet.write_at(ADDRESS_LEFT, y, document["number"], size=12, width=RIGHT - ADDRESS_LEFT)


def _draw_seller(sheet: Sheet, document: Document, figures: Figures, look: Look, logo: bytes | None) -> float:
    seller = document["seller"]
    y = TOP
    if logo is not None:
        y += _draw_logo(sheet, logo)
    y = sheet.write_at(LEFT, y, seller["name"], size=12, style="B", colour=look.heading, width=COLUMN, most=3)
    for text in (*_address(seller), *_numbers(seller, figures)):
        y = sheet.write_at(LEFT, y, text, size=8.5, colour=GREY, width=COLUMN, most=2)
    return y


def _draw_logo(sheet: Sheet, logo: bytes) -> float:
    """How much room it takes; none where it cannot be read: an invoice is not kept back for the want of a picture."""
    try:
        placed = sheet.image(BytesIO(logo), LEFT, TOP, LOGO_WIDTH, LOGO_HEIGHT, keep_aspect_ratio=True, alt_text="")
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for a file that is damaged
        return 0.0
    return float(min(placed.rendered_height, LOGO_HEIGHT)) + 3


def _draw_buyer(sheet: Sheet, buyer: Mapping[str, Any], figures: Figures) -> float:
    width = RIGHT - ADDRESS_LEFT
    y = sheet.write_at(
        ADDRESS_LEFT, ADDRESS_TOP - 5, label("bill_to", figures.language), size=8.5, colour=GREY, width=width
    )
    y = sheet.write_at(ADDRESS_LEFT, y, buyer["name"], size=11, style="B", width=width, most=4)
    for text in _address(buyer):
        y = sheet.write_at(ADDRESS_LEFT, y, text, size=10, width=width, most=3)
    for text in _numbers(buyer, figures):
        y = sheet.write_at(ADDRESS_LEFT, y + 0.6, text, size=8.5, colour=GREY, width=width)
    return y


def _address(party: Mapping[str, Any]) -> list[str]:
    """As it is written on an envelope, as far as it is known; the country's code before the postcode."""
    town = " ".join(filter(None, (party["postcode"], party["town"])))
    return [text for text in (party["street"], f"{party['country']}-{town}" if town else "") if text]


def _numbers(party: Mapping[str, Any], figures: Figures) -> list[str]:
    rows = (("company_number", party["company_number"]), ("vat_number", party["vat_number"]))
    return [f"{label(name, figures.language, party['country'])} {number}" for name, number in rows if number]


def _draw_facts(sheet: Sheet, document: Document, figures: Figures, y: float) -> float:
    for name, told in _facts(document, figures):
        sheet.write_at(LEFT, y + 0.4, label(name, figures.language), size=8.5, colour=GREY)
        y = sheet.write_at(LEFT + 34, y, told, size=10, width=COLUMN - 34, most=3) + 0.5
    return y


def _facts(document: Document, figures: Figures) -> Iterator[tuple[str, str]]:
    yield "number", document["number"]
    yield "issued_on", figures.day(document["issued_on"])
    if not document.is_credit_note:
        yield "due_on", figures.day(document["due_on"])
    if period := document["period"]:
        yield "period", figures.days(period["from"], period["until"])
    if order := document["buyer"]["purchase_order"]:
        yield "purchase_order", order
    if first := document["corrects"]:
        of_day = label("of_day", figures.language)
        yield "corrects", f"{first['number']} {of_day} {figures.short_day(first['issued_on'])}"


def running_head(document: Document, figures: Figures) -> str:
    """On top of the pages that follow."""
    what = f"{title_of(document, figures.language)} {document['number']}"
    return "  ·  ".join((document["seller"]["name"], what, document["buyer"]["name"]))


def foot(document: Document, figures: Figures) -> str:
    """The seller by law: name, seat, numbers, account."""
    seller = document["seller"]
    address = ", ".join(_address(seller))
    account = f"IBAN {grouped(seller['iban'])}" if seller["iban"] else ""
    return "  ·  ".join(filter(None, (seller["name"], address, *_numbers(seller, figures), account)))


def grouped(iban: str) -> str:
    """In fours, as people read it."""
    compact = "".join(iban.split())
    return " ".join(compact[at : at + 4] for at in range(0, len(compact), 4))
