"""PDFs read by programs that know nothing of what drew them: text, pictures of pages, QR codes."""

from __future__ import annotations

from io import BytesIO

import pypdfium2
import zxingcpp
from PIL.Image import Image
from pypdf import PdfReader


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf), strict=True)


def pages(pdf: bytes) -> list[str]:
    """The text of each page, with ordinary spaces."""
    texts = (page.extract_text() for page in reader(pdf).pages)
    return [" ".join(text.split()) for text in texts]


def text(pdf: bytes) -> str:
    return " ".join(pages(pdf))


def picture(pdf: bytes, page: int = -1, *, scale: float = 3.0) -> Image:
    """A page as a screen shows it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        image: Image = document[page % len(document)].render(scale=scale).to_pil().convert("L")
    finally:
        document.close()
    return image


def scanned(pdf: bytes) -> list[str]:
    """What a phone reads from all the pages."""
    count = len(reader(pdf).pages)
    found = (zxingcpp.read_barcodes(picture(pdf, page)) for page in range(count))
    return [code.text for codes in found for code in codes]
