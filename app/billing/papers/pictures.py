"""Whether a file is a picture that can be a logo, told from its first octets alone: nothing is decoded here."""

from __future__ import annotations

from app.errors import Invalid

LARGEST_OCTETS = 200 * 1024  # less than a request may hold
LARGEST_SIDE = 3000
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
# JPEG's frames: start of frame in each of its codings; the others of C0..CF are tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def check(octets: bytes) -> None:
    """Raises Invalid for what is neither PNG nor JPEG, or too large to draw on every document."""
    sides = size_of(octets)
    if sides is None or len(octets) > LARGEST_OCTETS or not all(1 <= side <= LARGEST_SIDE for side in sides):
        said = f"a PNG or JPEG of at most {LARGEST_OCTETS // 1024} KiB and {LARGEST_SIDE} pixels a side"
        raise Invalid.field("logo", said)


def size_of(octets: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the file says them, or None where it is no such picture."""
    if octets.startswith(PNG) and octets[12:16] == b"IHDR" and len(octets) >= 24:
        return int.from_bytes(octets[16:20], "big"), int.from_bytes(octets[20:24], "big")
    return _size_of_jpeg(octets) if octets.startswith(JPEG) else None


def _size_of_jpeg(octets: bytes) -> tuple[int, int] | None:
    """Segments begin with FF, a code, and their length; a frame's has height and width in it."""
    at = 2
    while at + 9 <= len(octets) and octets[at] == 0xFF:
        code, length = octets[at + 1], int.from_bytes(octets[at + 2 : at + 4], "big")
        if code in FRAMES:
            height, width = (int.from_bytes(octets[at + n : at + n + 2], "big") for n in (5, 7))
            return width, height
        at += 2 + max(length, 2)
    return None
