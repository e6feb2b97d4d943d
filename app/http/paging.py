"""Keyset paging: `limit` and an opaque `cursor`; the answer's Link header leads on. No page is skipped or repeated
while rows are added, as OFFSET would."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Invalid

DEFAULT, LARGEST = 50, 200


@dataclass(frozen=True, slots=True)
class Page:
    """What was asked for: at most `limit` rows after the key `after` (None: from the beginning)."""

    limit: int
    after: list[Any] | None


@dataclass(frozen=True, slots=True)
class Paged:
    """A page of items, and the key of its last one when more may follow."""

    items: Sequence[Any]
    last: list[Any] | None = None


def page_of(limit: int | None, cursor: str | None) -> Page:
    """Raises Invalid naming `cursor` when it is not one of ours."""
    return Page(limit or DEFAULT, read_cursor(cursor) if cursor else None)


def write_cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> list[Any]:
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or len(cursor) > 200 or not all(isinstance(part, int | str) for part in key):
        raise Invalid.field("cursor", "use the cursor of the Link header, or none")
    return key
