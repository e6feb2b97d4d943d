"""An archive's documents: each one's hash and amounts, each series' chain and numbers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from app.billing.closings.archive.format import DOCUMENTS, MANIFEST
from app.billing.closings.archive.verifying.closings import UNREADABLE, Closings
from app.billing.closings.archive.verifying.report import Report

Json = dict[str, Any]
REPEATED = ("number", "series", "sequence", "previous_hash")


class Documents:
    member = DOCUMENTS

    def __init__(self, report: Report, manifest: Json, closings: Closings) -> None:
        self._report = report
        self._closings = closings
        heads = manifest.get("heads")
        listed = heads.get("documents") if isinstance(heads, dict) else None
        self._heads: dict[str, Json] = (
            {str(row.get("series")): row for row in listed if isinstance(row, dict)} if isinstance(listed, list) else {}
        )
        self._last: dict[str, tuple[int, str]] = {}

    def take(self, no: int, line: Json) -> None:
        try:
            self._take(line)
        except UNREADABLE:
            self._report.fault(self.member, f"line {no} has not the shape of a document")

    def _take(self, line: Json) -> None:
        named, said = f"document {line['number']}", json.loads(line["snapshot"])
        if hashlib.sha256(line["snapshot"].encode()).hexdigest() != line["hash"]:
            self._say(named, "its hash is not that of its content")
        if any(said[name] != line[name] for name in REPEATED):
            self._say(named, "its content has another number, series or hash of the one before")
        self._check_chain(named, line)
        self._check_amounts(named, said)
        self._count(named, line, said)

    def _say(self, named: str, what: str) -> None:
        self._report.fault(self.member, f"{named}: {what}")

    def _check_chain(self, named: str, line: Json) -> None:
        series = line["series"]
        sequence, before = self._last.get(series) or self._begins(series, line)
        if line["sequence"] != sequence + 1:
            self._say(named, f"number {sequence + 1} of {series} should come here")
        if before is not None and line["previous_hash"] != before:
            self._say(named, "the chain is broken: the hash of the one before is not what it says")
        self._last[series] = line["sequence"], line["hash"]

    def _begins(self, series: str, line: Json) -> tuple[int, str | None]:
        """What stood before a series' first document here, as the manifest has it."""
        head = self._heads.get(series, {})
        first = head.get("first", line["sequence"])
        return (first - 1 if isinstance(first, int) else 0), head.get("before")

    def _check_amounts(self, named: str, said: Json) -> None:
        totals, taxes, lines = said["totals"], said["taxes"], said["lines"]
        if totals["net_cents"] + totals["vat_cents"] != totals["gross_cents"]:
            self._say(named, "net and VAT are not its gross")
        for column in ("net_cents", "vat_cents"):
            if sum(tax[column] for tax in taxes) != totals[column]:
                self._say(named, f"the {column} of its rates do not sum to its total")
        if sum(line["net_cents"] for line in lines) != totals["net_cents"]:
            self._say(named, "its lines do not sum to its net")

    def _count(self, named: str, line: Json, said: Json) -> None:
        day = self._closings.day_of(line["recorded_at"])
        if day is None:
            self._say(named, "it was recorded outside of the month")
            return
        kind, currency, totals = said["kind"], said["currency"], said["totals"]
        amounts = (1, totals["net_cents"], totals["vat_cents"], totals["gross_cents"])
        self._closings.add(day, "documents", (kind, currency, line["series"]), amounts)
        self._closings.add_digest(day, "documents", line["hash"])
        self._closings.add_number(day, line["series"], line["sequence"])
        for tax in said["taxes"]:
            key = (kind, currency, tax["category"], tax["permille"])
            self._closings.add(day, "taxes", key, (tax["net_cents"], tax["vat_cents"]))

    def end(self) -> None:
        """The heads of the chains, as the manifest has them."""
        for series in sorted(self._heads.keys() | self._last.keys(), key=str):
            head = self._heads.get(series, {})
            if self._last.get(series) != (head.get("last"), head.get("after")):
                self._report.fault(MANIFEST, f"the chain of {series} does not end as it says")
