"""From a stored snapshot to the PDF that people receive.

Imported lazily, by workers and commands alone, never by a web process: what it loads weighs 20 MB.
"""

from __future__ import annotations

from importlib.metadata import version

from app.billing.papers.document import Document
from app.billing.papers.figures import Figures, locale_of
from app.billing.papers.head import draw_head, foot, running_head, title_of
from app.billing.papers.labels import label
from app.billing.papers.look import Look
from app.billing.papers.sheet import Sheet
from app.billing.papers.sums import draw_sums
from app.billing.papers.table import draw_lines

FORMAT = 1  # of the drawing: another number where the same snapshot is drawn otherwise
VERSION = f"papers/{FORMAT} " + " ".join(f"{name}/{version(name)}" for name in ("fpdf2", "fonttools", "segno"))


def draw(snapshot: str, look: Look, logo: bytes | None = None) -> bytes:
    """The PDF of a snapshot: the same octets for the same snapshot and look, with the same libraries.

    Raises UnknownFormat. `logo` is the content of the file that `look` names, a PNG or JPEG.
    """
    document = Document.of(snapshot)
    figures = Figures(locale_of(document["locale"], document["buyer"]["country"]), document["currency"])
    sheet = Sheet(
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
        return bytes(sheet.output())
    finally:
        sheet.close_fonts()
