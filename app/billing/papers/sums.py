"""The end of a document: VAT by rate, totals, how to pay, and what the law or the operator wants said."""

from __future__ import annotations

from app.billing.papers import epc, square
from app.billing.papers.document import Document
from app.billing.papers.figures import Figures
from app.billing.papers.head import grouped
from app.billing.papers.labels import CATEGORY_LABELS, label
from app.billing.papers.look import Look
from app.billing.papers.sheet import GREY, LEFT, LINE, RIGHT, WIDTH, Sheet

TAXES = ((LEFT, 26, "L"), (LEFT + 27, 29, "R"), (LEFT + 57, 29, "R"))
TOTALS_LEFT = 122.0
SQUARE = 34.0
PAY_HEIGHT = SQUARE + 12
BEFORE_MENTIONS = 4.0


def draw_sums(sheet: Sheet, document: Document, figures: Figures, look: Look) -> None:
    """VAT and totals stay together on a page; so does what one needs to pay."""
    _make_room(sheet, 26 + 5 * len(document["taxes"]))
    top = sheet.get_y()
    below = max(_draw_taxes(sheet, document, figures, top), _draw_totals(sheet, document, figures, look, top))
    sheet.set_y(below + 6)
    _draw_payment(sheet, document, figures, look)
    _draw_mentions(sheet, document, look)


def _make_room(sheet: Sheet, height: float) -> None:
    if not sheet.room(height):
        sheet.add_page()


def _draw_taxes(sheet: Sheet, document: Document, figures: Figures, y: float) -> float:
    if not document["taxes"]:
        return y
    names = ("vat_rate", "vat_base", "vat_amount")
    y = _row(sheet, y, [label(name, figures.language) for name in names], size=8, colour=GREY) + 0.8
    sheet.rule(y, right=LEFT + 86)
    for tax in document["taxes"]:
        rate = figures.rate(tax["permille"])
        if named := CATEGORY_LABELS.get(tax["category"]):
            rate = label(named, figures.language)
        y = _row(sheet, y + 0.8, [rate, figures.amount(tax["net_cents"]), figures.amount(tax["vat_cents"])], size=9.5)
    return y


def _row(sheet: Sheet, y: float, texts: list[str], **ink: object) -> float:
    below = y
    for (left, width, align), text in zip(TAXES, texts, strict=True):
        below = sheet.fit_at(left, y, text, width=width, align=align, **ink)  # type: ignore[arg-type]
    return below


def _draw_totals(sheet: Sheet, document: Document, figures: Figures, look: Look, y: float) -> float:
    totals = document["totals"]
    for name in ("net", "vat", "gross"):
        y = _total(sheet, y, label(f"total_{name}", figures.language), figures.money(totals[f"{name}_cents"])) + 0.8
    sheet.rule(y + 0.6, colour=look.accent, thick=0.4, left=TOTALS_LEFT)
    owed = label("credited" if document.is_credit_note else "due", figures.language)
    told = figures.money(totals["due_cents"])
    return _total(sheet, y + 2.2, owed, told, size=13.0, style="B", colour=look.heading)


def _total(
    sheet: Sheet, y: float, name: str, told: str, *, size: float = 9.5, style: str = "", colour: str | None = None
) -> float:
    ink = {"size": size, "style": style} | ({"colour": colour} if colour else {})
    sheet.fit_at(TOTALS_LEFT, y, name, width=33, **ink)  # type: ignore[arg-type]
    return sheet.fit_at(TOTALS_LEFT + 34, y, told, width=RIGHT - TOTALS_LEFT - 34, align="R", **ink)  # type: ignore[arg-type]


def _draw_payment(sheet: Sheet, document: Document, figures: Figures, look: Look) -> None:
    due = document["totals"]["due_cents"]
    if document.is_credit_note or due <= 0:
        said = label("no_payment" if document.is_credit_note else "nothing_due", figures.language)
        _make_room(sheet, 8)
        sheet.set_y(sheet.write_at(LEFT, sheet.get_y(), said, size=10, width=WIDTH) + BEFORE_MENTIONS)
        return
    _make_room(sheet, PAY_HEIGHT)
    top = sheet.get_y()
    sheet.rule(top, colour=look.accent, thick=0.4)
    drawn = _draw_square(sheet, document, RIGHT - SQUARE, top + 3)
    y = sheet.write_at(LEFT, top + 3, label("how_to_pay", figures.language), size=11, style="B", colour=look.heading)
    for name, told in _transfer(document, figures):
        sheet.write_at(LEFT, y + 0.9, label(name, figures.language), size=8.5, colour=GREY)
        y = sheet.write_at(LEFT + 32, y + 0.5, told, size=10.5, width=WIDTH - SQUARE - 38, most=2)
    if drawn:
        y = sheet.write_at(
            LEFT, y + 2, label("scan", figures.language), size=8.5, colour=GREY, width=WIDTH - SQUARE - 6
        )
    sheet.set_y(max(y, top + 3 + SQUARE if drawn else y) + BEFORE_MENTIONS)


def _transfer(document: Document, figures: Figures) -> list[tuple[str, str]]:
    payment = document["payment"]
    rows = [
        ("beneficiary", document["seller"]["name"]),
        ("iban", grouped(payment["iban"] or "")),
        ("amount", figures.money(document["totals"]["due_cents"])),
        ("due_on", figures.day(document["due_on"])),
        ("communication", payment["communication"] or ""),
    ]
    return [row for row in rows if row[1]]


def payload_of(document: Document) -> str | None:
    """What the square of a document says, or None where it has none."""
    payment = document["payment"]
    return epc.payload(
        name=document["seller"]["name"],
        iban=payment["iban"] or "",
        cents=document["totals"]["due_cents"],
        currency=document["currency"],
        communication=payment["communication"] or "",
        kind=document["kind"],
    )


def _draw_square(sheet: Sheet, document: Document, x: float, y: float) -> bool:
    told = payload_of(document)
    if told is None:
        return False
    square.draw(sheet, told, x, y, SQUARE)
    return True


def _draw_mentions(sheet: Sheet, document: Document, look: Look) -> None:
    for text in (*(mention["text"] for mention in document["mentions"]), look.text):
        if not text:
            continue
        sheet.ink(size=8.5)
        height = len(sheet.broken(text, WIDTH)) * 8.5 / float(sheet.k) * LINE
        _make_room(sheet, min(height, 200.0) + 1)
        sheet.set_y(sheet.write_at(LEFT, sheet.get_y(), text, size=8.5, width=WIDTH) + 1)
