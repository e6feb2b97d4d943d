"""A QR code as rectangles: sharp at any size, and small, since modules side by side are one rectangle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import segno

from app.billing.papers.sheet import Sheet

LARGEST_VERSION = 13  # EPC069-12
BLACK = 0


def matrix(payload: str) -> tuple[bytes, ...]:
    """Rows of modules, 1 is dark. Error correction M, as EPC069-12 has it, and octets of UTF-8."""
    code = segno.make_qr(payload, error="m", boost_error=False, encoding="utf-8", mode="byte", eci=False)
    assert isinstance(code.version, int) and code.version <= LARGEST_VERSION, "payloads are at most 331 octets"
    return tuple(bytes(row) for row in code.matrix)


def runs(row: bytes) -> Iterator[tuple[int, int]]:
    """Where dark modules begin, and how many there are."""
    at = 0
    for dark, modules in groupby(row):
        length = sum(1 for _ in modules)
        if dark:
            yield at, length
        at += length


def draw(sheet: Sheet, payload: str, x: float, y: float, size: float) -> None:
    """Within the square from (x, y) on; the quiet zone of four modules is the white around it, on the left drawn in."""
    rows = matrix(payload)
    module = size / len(rows)
    sheet.set_fill_color(BLACK)
    for n, row in enumerate(rows):
        for begin, length in runs(row):
            sheet.rect(x + begin * module, y + n * module, length * module, module, style="F")
