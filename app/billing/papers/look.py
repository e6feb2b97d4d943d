"""What a document looks like: the operator's logo, colour and words of its own, or sober ones where it chose none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

INK = "#22303a"
DEFAULT_ACCENT = "#0f5b78"
COLOUR = re.compile(r"#[0-9a-f]{6}")
READABLE = 4.5  # WCAG 2.2, 1.4.3


@dataclass(frozen=True, slots=True)
class Look:
    """`logo` is the SHA-256 of a stored file; `text` stands at the end of each document."""

    accent: str = DEFAULT_ACCENT
    logo: str | None = None
    text: str = ""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Look:
        return cls(**stored)

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def heading(self) -> str:
        """The accent where it can be read on white, else ink: a pale colour is for lines and areas only."""
        return self.accent if contrast_on_white(self.accent) >= READABLE else INK


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def contrast_on_white(colour: str) -> float:
    """The ratio of WCAG 2.2, from 1 (white) to 21 (black)."""
    red, green, blue = (_linear(part / 255) for part in rgb(colour))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
