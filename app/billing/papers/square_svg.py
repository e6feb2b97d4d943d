"""A QR code for a page: one path of an SVG, sharp at any size."""

from __future__ import annotations

from itertools import groupby

QUIET = 4  # modules of white around it


def svg(payload: str) -> str:
    """An SVG of the code; error correction M, as EPC069-12 has it, and octets of UTF-8. Of `payload` it holds the code
    alone, no text."""
    import segno  # for who asks for a code; not for every web process

    code = segno.make_qr(payload, error="m", boost_error=False, encoding="utf-8", mode="byte", eci=False)
    path = "".join(
        f"M{begin + QUIET} {n + QUIET}h{length}v1h-{length}z"
        for n, row in enumerate(code.matrix)
        for begin, length in _runs(bytes(row))
    )
    side = len(code.matrix) + 2 * QUIET
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="160" height="160" '
        f'aria-hidden="true"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{path}"/></svg>'
    )


def _runs(row: bytes) -> list[tuple[int, int]]:
    """Where dark modules begin, and how many there are."""
    found, at = [], 0
    for dark, modules in groupby(row):
        length = sum(1 for _ in modules)
        if dark:
            found.append((at, length))
        at += length
    return found
