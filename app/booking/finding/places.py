"""Where a space is: points, distances on the globe, and names as people type them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from app.errors import Invalid

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
_NUMBER = r"\s*([+-]?[0-9]{1,3}(?:\.[0-9]{1,15})?)\s*"
_POINT = re.compile(f"{_NUMBER},{_NUMBER}")


class Point(NamedTuple):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


def parse_point(text: str, *, field: str) -> Point:
    """Read `lat,lon` in degrees. Raises Invalid naming `field`."""
    match = _POINT.fullmatch(text)
    if match:
        point = Point(float(match[1]), float(match[2]))
        if abs(point.latitude) <= 90 and abs(point.longitude) <= 180:
            return point
    raise Invalid.field(field, "write latitude,longitude in degrees, such as 50.63,3.78")


def distance_km(one: Point, other: Point) -> float:
    """The great-circle distance (haversine)."""
    latitude, other_latitude = radians(one.latitude), radians(other.latitude)
    half_across = sin((other_latitude - latitude) / 2) ** 2
    half_along = sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half_across + cos(latitude) * cos(other_latitude) * half_along)))


def metres(distance_km: float | None) -> int:
    """A distance as lists are ordered by it; 0 where none was asked."""
    return 0 if distance_km is None else round(distance_km * 1000)


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """`text` without accents, case and punctuation: "Île-d'Yeu" and "ile d yeu" are the same."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    kept = (" " if not c.isalnum() else c for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(kept).split())
