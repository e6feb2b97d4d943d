"""Source Sans Pro (SIL Open Font Licence), and what becomes of characters that it does not have."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path

PACKAGE = "font_source_sans_pro"
FAMILY = "SourceSansPro"
STYLES = {"": "Regular", "B": "Semibold"}
UNKNOWN = "?"  # an archive's PDF may not show a glyph that is not there


def path_of(style: str) -> Path:
    return Path(str(files(PACKAGE) / "files" / f"{FAMILY}-{STYLES[style]}.ttf"))


@cache
def known_characters() -> frozenset[int]:
    """The code points that both styles can show."""
    from fontTools.ttLib import TTFont

    maps = []
    for style in STYLES:
        with TTFont(path_of(style), lazy=True) as font:
            maps.append(frozenset(font.getBestCmap()))
    return frozenset.intersection(*maps)


def showable(text: str) -> str:
    """`text` as it can be drawn on one line: composed, without controls and marks of direction, unknowns marked.

    Never fails and never grows a line's number: names are other people's, and an invoice is drawn whatever they are.
    """
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if character in "\t\n\v\f\r\u2028\u2029" else character for character in composed)
    return "".join(_shown(character) for character in spaced).strip()


def _shown(character: str) -> str:
    if ord(character) in known_characters():
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"):
        return ""
    compatible = unicodedata.normalize("NFKC", character)
    if compatible != character and all(ord(each) in known_characters() for each in compatible):
        return compatible
    return " " if character.isspace() else UNKNOWN
