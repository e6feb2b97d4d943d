"""Content lines of iCalendar (RFC 5545, section 3.1): clean text in, escaped and folded lines out.

Everything a person typed passes `clean` before it comes near a calendar. No text that has passed it can end a
line, and so none can add a property, whichever of the many definitions of "line" a reader uses.
"""

from __future__ import annotations

import re
from urllib.parse import quote

CRLF = "\r\n"
LIMIT = 75
"""Octets on a line, its line break not counted."""

# CR, VT, FF, NEL, LS and PS end a line for Python's str.splitlines and for readers built on it: they become the one
# line break that TEXT can carry. Cheaper than a table of six replacements, and most text has none of them.
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# TEXT allows no control but HTAB (and LF, which is escaped). C1 controls are allowed, useless, and taken for breaks.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Lone surrogates cannot be written in UTF-8 at all.
_SURROGATES = re.compile("[\ud800-\udfff]")
_URL_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"


def clean(text: str) -> str:
    """`text` with `\\n` as its only line break, no other control but tabs, and lone surrogates as U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    text = _BREAKS.sub("\n", text)
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))


def one_line(text: str) -> str:
    """`text` cleaned, and its line breaks removed: for identifiers."""
    return clean(text).replace("\n", "")


def escape(text: str) -> str:
    """A value of type TEXT (RFC 5545, section 3.3.11); `text` must be clean."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def uri(url: str) -> str:
    """A value of type URI (RFC 5545, section 3.3.13): not escaped as TEXT is, in ASCII, without controls."""
    return quote(_URL_REFUSED.sub("", url), safe=_URL_SAFE, errors="replace")


def fold(line: str) -> str:
    """`line` with its line break, folded so that none exceeds 75 octets and no character is cut (RFC 5545, 3.1)."""
    if len(line) <= LIMIT and line.isascii():
        return line + CRLF
    octets = line.encode()
    pieces = []
    start, room = 0, LIMIT
    while len(octets) - start > room:
        end = start + room
        while octets[end] & 0xC0 == 0x80:  # the middle of a UTF-8 character
            end -= 1
        pieces.append(octets[start:end])
        start, room = end, LIMIT - 1  # the space that opens a continuation counts
    pieces.append(octets[start:])
    return b"\r\n ".join(pieces).decode() + CRLF
