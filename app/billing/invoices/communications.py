"""What a payer writes with a transfer, so that the payment finds its document."""

from __future__ import annotations

from app.errors import Problem

YEARS, NUMBERS = 100, 10_000_000
KEYS = {"I": 1, "C": 2}


class SeriesFull(Problem):
    """A series has more documents than a structured communication can tell apart."""

    code = "series_full"
    status = 409
    title = "This year's series of documents is full."


def structured(ten_digits: int) -> str:
    """A Belgian structured communication, `+++ddd/dddd/ddddd+++`: ten digits and their remainder by 97 (97 for 0).

    Febelfin, "Standard de la communication structurée". Raises ValueError for more than ten digits.
    """
    if not 0 <= ten_digits < 10**10:
        raise ValueError("a structured communication has ten digits")
    digits = f"{ten_digits:010d}{ten_digits % 97 or 97:02d}"
    return f"+++{digits[:3]}/{digits[3:7]}/{digits[7:]}+++"


def is_structured(text: str) -> bool:
    """Whether a text is a structured communication whose check digits are right."""
    digits = text.strip("+*").replace("/", "")
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        return False
    return (int(digits[:10]) % 97 or 97) == int(digits[10:])


def communication(*, country: str, series: str, sequence: int, number: str) -> str:
    """What to write with the payment of a document: for a Belgian operator structured, of year, series and sequence,
    so that no two of its documents of a century share one; elsewhere the document's number.

    `series` is its letter and year, as in I2026. Raises SeriesFull beyond ten million documents a year.
    """
    if country != "BE":
        return number
    if sequence >= NUMBERS:
        raise SeriesFull(series=series, limit=NUMBERS - 1)
    year = int(series[1:]) % YEARS
    return structured((year * 10 + KEYS[series[0]]) * NUMBERS + sequence)
