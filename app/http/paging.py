"""Keyset paging: `limit` and an opaque `cursor`; the answer's Link header leads on. No page is skipped or repeated
while rows are added, as OFFSET would."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Invalid

DEFAULT, LARGEST = 50, 200
LONGEST = 400  # characters of a cursor


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


def page_of(
    limit: int | None,
    cursor: str | None,
    *,
    key: tuple[type, ...] | None = None,
    order: str | None = None,
    default: int = DEFAULT,
) -> Page:
    """`key` says of what types this list's keys are, e.g. (str, int); a list of several orders has their names first.

    Raises Invalid naming `cursor` when it is not one of ours, or of another list or order.
    """
    after = read_cursor(cursor) if cursor else None
    if after is not None and key is not None and tuple(type(part) for part in after) != key:
        raise _not_ours()
    if after is not None and order not in (None, after[0]):
        raise _not_ours()
    return Page(limit or default, after)


def cut(rows: Sequence[Any], page: Page, key: Callable[[Any], list[Any]]) -> tuple[Sequence[Any], list[Any] | None]:
    """The rows of `page` out of one more than it holds, and the key of the last when more follow."""
    shown = rows[: page.limit]
    return shown, key(shown[-1]) if len(rows) > page.limit else None


def write_cursor(key: list[Any]) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode())
        .decode()
        .rstrip("=")
    )


def read_cursor(cursor: str) -> list[Any]:
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or not key or len(cursor) > LONGEST or not all(_keepable(part) for part in key):
        raise _not_ours()
    return key


def _keepable(part: Any) -> bool:
    """A text without NUL, or a number that fits a bigint: anything else would be an error of the database."""
    return (isinstance(part, str) and part.isprintable()) or (type(part) is int and abs(part) < 2**63)


def _not_ours() -> Invalid:
    return Invalid.field("cursor", "use the cursor of the Link header, or none")
