"""The sheet documents are drawn on: A4, its running head and foot, its fonts, and what a reader's program asks of it.

Drawn as PDF/A-3 (ISO 19005-3), so that a machine's version of the invoice can be put into it. The same content makes
the same octets: its dates are the document's own, and its identifier follows from what is on it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from html import escape

from fpdf import FPDF
from fpdf.fonts import TTFFont
from fpdf.prefs import ViewerPreferences

from app import pulse
from app.billing.papers.fonts import FAMILY, STYLES, path_of, showable
from app.billing.papers.look import INK, rgb

LEFT, RIGHT, TOP, BOTTOM = 18.0, 192.0, 16.0, 24.0
WIDTH = RIGHT - LEFT
GREY, PALE = "#5f6b73", "#e4e9ec"
PRODUCER = "Passerelle"
LINE = 1.28  # of the font's size

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table of every font

_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" pdf:Producer="{producer}"
 xmp:CreateDate="{at}" xmp:ModifyDate="{at}" xmp:MetadataDate="{at}">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


class Sheet(FPDF):
    """A document's pages. `running` stands on top of each page but the first, `foot` at the end of each.

    Positions are in millimetres from the upper left corner.
    """

    def __init__(
        self,
        *,
        title: str,
        author: str,
        language: str,
        issued_on: str,
        running: str,
        foot: str,
        page_of: str,
        accent: str,
    ) -> None:
        super().__init__(format="A4", unit="mm", enforce_compliance="PDF/A-3B")
        self._accent = accent
        self._running, self._foot, self._page_of = showable(running), showable(foot), page_of
        for style in STYLES:
            self.add_font(FAMILY, style, path_of(style))
        self.set_margins(LEFT, TOP, 210 - RIGHT)
        self.set_auto_page_break(False)
        self.c_margin = 0.0
        self.set_creation_date(datetime.combine(date.fromisoformat(issued_on), time(12), UTC))
        self.set_lang(language)
        self.set_title(showable(title))
        self.set_author(showable(author))
        self.set_producer(PRODUCER)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)  # WCAG technique PDF18
        self.set_xmp_metadata(self._xmp(language))
        self.add_page()

    def _xmp(self, language: str) -> str:
        assert isinstance(self.creation_date, datetime)
        said = {"title": self.title, "author": self.author, "language": language, "producer": PRODUCER}
        at = self.creation_date.isoformat()
        return _XMP.format(at=at, **{name: escape(str(value)) for name, value in said.items()})

    def header(self) -> None:
        pulse.beat()  # some documents have a hundred pages
        self.set_fill_color(*rgb(self._accent))
        self.rect(0, 0, 210, 3, style="F")
        if self.page_no() == 1:
            return
        self.write_at(LEFT, TOP - 5, self._running, size=8.5, colour=GREY, width=WIDTH, most=1)
        self.rule(TOP + 1)
        self.set_y(TOP + 5)

    def footer(self) -> None:
        self.rule(297 - BOTTOM + 4)
        self.write_at(LEFT, 297 - BOTTOM + 6, self._foot, size=7.5, colour=GREY, width=WIDTH - 32, most=3)
        told = self._page_of % {"page": self.page_no(), "pages": self.str_alias_nb_pages}
        # How many pages there are is filled in at the end: for the place of the words it is as many as there are now.
        taken = self.get_string_width(showable(told.replace(self.str_alias_nb_pages or "", str(self.page_no()))))
        self.write_at(RIGHT - taken, 297 - BOTTOM + 6, told, size=7.5, colour=GREY)

    def close_fonts(self) -> None:
        """Their files stay open for as long as something may be drawn."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def room(self, height: float) -> bool:
        """Whether `height` more fits on this page."""
        return bool(self.get_y() + height <= 297 - BOTTOM)

    def ink(self, *, size: float, style: str = "", colour: str = INK) -> None:
        self.set_font(FAMILY, style, size)
        self.set_text_color(*rgb(colour))

    def rule(
        self, y: float, *, colour: str = PALE, thick: float = 0.2, left: float = LEFT, right: float = RIGHT
    ) -> None:
        self.set_draw_color(*rgb(colour))
        self.set_line_width(thick)
        self.line(left, y, right, y)

    def broken(self, text: str, width: float, *, most: int = 0) -> Sequence[str]:
        """The lines that `text` takes in the present font, words broken where they are longer than a line."""
        lines = self.multi_cell(width, text=showable(text), dry_run=True, output="LINES", align="L")
        assert isinstance(lines, list)
        kept = [line.strip() for line in lines] or [""]
        if most and len(kept) > most:
            kept = [*kept[: most - 1], f"{kept[most - 1].rstrip()[:-1]}…"]
        return kept

    def write_at(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        width: float = 0.0,
        style: str = "",
        colour: str = INK,
        align: str = "L",
        most: int = 0,
    ) -> float:
        """Write `text` from the upper left corner (x, y) on; returns the y below it. Without `width` on one line."""
        self.ink(size=size, style=style, colour=colour)
        height = size / self.k * LINE
        lines = self.broken(text, width, most=most) if width else [showable(text)]
        for line in lines:
            self.set_xy(x, y)
            self.cell(width or None, height, line, align=align)
            y += height
        return float(y)

    def fit_at(
        self,
        x: float,
        y: float,
        text: str,
        *,
        width: float,
        size: float,
        style: str = "",
        colour: str = INK,
        align: str = "L",
    ) -> float:
        """One line within `width`, in smaller letters where it would be longer; returns the y below a usual one."""
        told = showable(text)
        self.ink(size=size, style=style, colour=colour)
        taken = self.get_string_width(told)
        if taken > width:
            self.ink(size=size * width / taken, style=style, colour=colour)
        height = size / self.k * LINE
        self.set_xy(x, y)
        self.cell(width, height, told, align=align)
        return float(y + height)
