"""What a closing says, in canonical JSON (sorted keys, no spaces, UTF-8, integers only), and its hash.

    {"format", "operator", "kind": "day"|"month"|"year", "number", "first_day", "last_day", "starts_at", "ends_at",
     "timezone", "totals": tables of counters.PERIOD, "grand_totals": tables of counters.GRAND,
     "digests": {"documents", "postings", "charges"}, "days": null | {"first", "last", "head"}, "previous_hash"}

A day's digest is the SHA-256 of its rows' digests, in hexadecimal, joined by line feeds, in the order of recording; a
longer period's is that of its days' digests. `days` of a month or year names its daily closings by number and the hash
of the last, which through the chain stands for all before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from app.billing.closings import counters

FORMAT = "passerelle.closing/1"
DIGESTS = ("documents", "postings", "charges")


@dataclass(frozen=True, slots=True)
class Totals:
    """What was found in a period: `tables` by counters.PERIOD, and the digests of what was counted."""

    tables: counters.Tables
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class Period:
    kind: str
    number: int
    first_day: date
    last_day: date
    starts_at: datetime
    ends_at: datetime
    timezone: str


def digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def of_days(days: Sequence[Mapping[str, Any]]) -> Totals:
    """The totals of a month or a year out of its daily closings' contents, in their order."""
    tables = counters.total(day["totals"] for day in days)
    return Totals(tables, {name: digest(day["digests"][name] for day in days) for name in DIGESTS})


def written(
    *, operator: str, period: Period, totals: Totals, before: Mapping[str, Any] | None, before_hash: str | None,
    days: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The content of the closing that follows `before`, the one of its kind before it (None: it is the first)."""
    grand = before["grand_totals"] if before else counters.none()
    return {
        "format": FORMAT,
        "operator": operator,
        "kind": period.kind,
        "number": period.number,
        "first_day": period.first_day.isoformat(),
        "last_day": period.last_day.isoformat(),
        "starts_at": instant(period.starts_at),
        "ends_at": instant(period.ends_at),
        "timezone": period.timezone,
        "totals": totals.tables,
        "grand_totals": counters.grown(grand, totals.tables),
        "digests": totals.digests,
        "days": days,
        "previous_hash": before_hash,
    }
