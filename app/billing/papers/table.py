"""The lines of a document: by space and person, over as many pages as they take, with a head on each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.billing.papers.document import Document, Section
from app.billing.papers.figures import Figures
from app.billing.papers.labels import CATEGORY_LABELS, label
from app.billing.papers.look import Look
from app.billing.papers.sheet import GREY, LEFT, LINE, RIGHT, WIDTH, Sheet

SIZE, SMALL = 9.5, 8.0
ROW_GAP = 1.6
MOST_LINES = 6  # of one description: what is longer is cut short


class Column(NamedTuple):
    label: str
    left: float
    width: float
    align: str


COLUMNS = (
    Column("description", LEFT, 80, "L"),
    Column("quantity", LEFT + 81, 27, "R"),
    Column("unit_price", LEFT + 109, 24, "R"),
    Column("vat", LEFT + 134, 17, "R"),
    Column("net", RIGHT - 22, 22, "R"),
)


def draw_lines(sheet: Sheet, document: Document, figures: Figures, look: Look) -> None:
    """All lines, and a subtotal for each space where there are several."""
    table = _Table(sheet, document, figures, look)
    table.head()
    several, space = len(document.spaces) > 1, None
    for n, section in enumerate(document.sections):
        if n and several and section.space != space:
            table.subtotal(space)
        table.section(section, named=n == 0 or section.space != space)
        space = section.space
        for line in section.lines:
            table.line(line)
    if several:
        table.subtotal(space)
    sheet.rule(sheet.get_y() + 0.6, colour=look.accent, thick=0.4)
    sheet.set_y(sheet.get_y() + 5)


class _Table:
    def __init__(self, sheet: Sheet, document: Document, figures: Figures, look: Look) -> None:
        self._sheet, self._document, self._figures, self._look = sheet, document, figures, look

    def head(self) -> None:
        y = self._sheet.get_y()
        for column in COLUMNS:
            self._cell(column, y, label(column.label, self._figures.language), size=SMALL, colour=GREY)
        below = y + _height(self._sheet, SMALL) + 1
        self._sheet.rule(below, colour=self._look.accent, thick=0.4)
        self._sheet.set_y(below + 2)

    def section(self, section: Section, *, named: bool) -> None:
        """The space where it is another one, and the person; never alone at the end of a page."""
        self._make_room(22)
        y = self._sheet.get_y() + 0.8
        if named and section.space:
            y = self._sheet.write_at(LEFT, y, section.space, size=SIZE + 0.5, style="B", width=WIDTH, most=2)
        if section.person:
            y = self._sheet.write_at(LEFT, y, section.person, size=SIZE, colour=GREY, width=WIDTH, most=2)
        self._sheet.set_y(y + 0.8)

    def line(self, line: Mapping[str, Any]) -> None:
        described = self._described(line)
        size = _height(self._sheet, SIZE) * described + _height(self._sheet, SMALL)
        self._make_room(size + ROW_GAP)
        y, figures = self._sheet.get_y(), self._figures
        told = (
            figures.quantity(line["quantity_milli"], line["unit"]),
            figures.price(line["net_cents"], line["quantity_milli"]),
            self._rate(line["vat"]),
            figures.amount(line["net_cents"]),
        )
        for column, text in zip(COLUMNS[1:], told, strict=True):
            self._cell(column, y, text, size=SIZE)
        first = COLUMNS[0]
        y = self._sheet.write_at(first.left, y, line["text"], size=SIZE, width=first.width, most=MOST_LINES)
        y = self._sheet.write_at(first.left, y, self._when(line), size=SMALL, colour=GREY, width=first.width, most=1)
        self._sheet.rule(y + 0.5)
        self._sheet.set_y(y + ROW_GAP)

    def subtotal(self, space: str | None) -> None:
        self._make_room(10)
        y = self._sheet.get_y()
        name = " ".join(filter(None, (label("subtotal", self._figures.language), space)))
        net = self._figures.amount(self._document.net_of(space))
        below = self._sheet.write_at(LEFT, y, name, size=SIZE, style="B", width=COLUMNS[-1].left - LEFT - 2, most=2)
        self._cell(COLUMNS[-1], y, net, size=SIZE, style="B")
        self._sheet.set_y(below + 2)

    def _described(self, line: Mapping[str, Any]) -> int:
        self._sheet.ink(size=SIZE)
        return len(self._sheet.broken(line["text"], COLUMNS[0].width, most=MOST_LINES))

    def _when(self, line: Mapping[str, Any]) -> str:
        told = [self._figures.days(line["service_from"], line["service_until"])]
        told += [label("late", self._figures.language)] * bool(line["late"])
        told += [label("corrects_line", self._figures.language)] * bool(line["corrects"])
        return " · ".join(told)

    def _rate(self, vat: Mapping[str, Any]) -> str:
        """The rate; a word where no rate applies."""
        if vat["category"] in CATEGORY_LABELS:
            return "–"
        return self._figures.rate(vat["permille"])

    def _make_room(self, height: float) -> None:
        if not self._sheet.room(height):
            self._sheet.add_page()
            self.head()

    def _cell(self, column: Column, y: float, text: str, **ink: Any) -> None:
        self._sheet.fit_at(column.left, y, text, width=column.width, align=column.align, **ink)


def _height(sheet: Sheet, size: float) -> float:
    return size / float(sheet.k) * LINE
