"""What is counted in a closing, as rows with keys and sums, and how rows of several periods become one's.

Every table below is a list of rows sorted by their keys. A period's totals and the perpetual grand totals ("grand total
perpétuel", BOI-TVA-DECLA-30-10-30) are such tables; grand totals name no series, since series end and they do not.
Amounts are integer cents; those of credit notes are positive and stand apart from invoices'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]
_AMOUNTS = ("net_cents", "vat_cents", "gross_cents")


@dataclass(frozen=True, slots=True)
class Counter:
    """Rows are told apart by `keys`; `sums` add up; `first` and `last` are the lowest and highest of a `span`."""

    keys: tuple[str, ...]
    sums: tuple[str, ...]
    span: bool = False


PERIOD: dict[str, Counter] = {
    "documents": Counter(("kind", "currency", "series"), ("count", *_AMOUNTS), span=True),
    "taxes": Counter(("kind", "currency", "category", "permille"), ("net_cents", "vat_cents")),
    "ledger": Counter(("currency",), ("postings", "entries", "debit_cents", "credit_cents")),
    "charges": Counter(("currency",), ("count", *_AMOUNTS)),
    "payments": Counter(("source", "currency"), ("count", "cents")),
}
GRAND: dict[str, Counter] = PERIOD | {
    "documents": replace(PERIOD["documents"], keys=("kind", "currency"), span=False),
}


def none() -> Tables:
    return {name: [] for name in PERIOD}


def total(periods: Iterable[Mapping[str, Sequence[Row]]]) -> Tables:
    """The totals of a longer period from those of its parts."""
    return _gathered(PERIOD, periods)


def grown(grand: Mapping[str, Sequence[Row]], period: Mapping[str, Sequence[Row]]) -> Tables:
    """The perpetual grand totals after one more period."""
    return _gathered(GRAND, [grand, period])


def _gathered(counters: Mapping[str, Counter], tables: Iterable[Mapping[str, Sequence[Row]]]) -> Tables:
    kept = list(tables)
    return {name: _sum(counter, [row for one in kept for row in one[name]]) for name, counter in counters.items()}


def _sum(counter: Counter, rows: Iterable[Row]) -> list[Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in counter.keys)
        found[key] = _added(counter, found[key], row) if key in found else _only(counter, row)
    return [found[key] for key in sorted(found)]


def _only(counter: Counter, row: Row) -> Row:
    return {name: row[name] for name in _columns(counter)}


def _added(counter: Counter, one: Row, other: Row) -> Row:
    added = {name: one[name] for name in counter.keys}
    added |= {name: one[name] + other[name] for name in counter.sums}
    if counter.span:
        added |= {"first": min(one["first"], other["first"]), "last": max(one["last"], other["last"])}
    return added


def _columns(counter: Counter) -> tuple[str, ...]:
    return (*counter.keys, *counter.sums, *(("first", "last") if counter.span else ()))
