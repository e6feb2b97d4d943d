"""An archive's postings and charges: what each says of itself, and what the days' sums are made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from app.billing.closings.archive.format import CHARGE_FIELDS, CHARGES, PAYMENTS, POSTINGS
from app.billing.closings.archive.verifying.closings import UNREADABLE, Closings
from app.billing.closings.archive.verifying.report import Report

Json = dict[str, Any]

MOVED = {"payment": "", "refund": "refund:"}  # kinds of postings that move money, and how a closing calls its means


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Rows:
    """Lines of one member, each on its own."""

    member = ""
    what = ""

    def __init__(self, report: Report, closings: Closings) -> None:
        self._report = report
        self._closings = closings

    def take(self, no: int, line: Json) -> None:
        try:
            self._take(line)
        except UNREADABLE:
            self._report.fault(self.member, f"line {no} has not the shape of a {self.what}")

    def _take(self, line: Json) -> None:
        raise NotImplementedError

    def _say(self, named: str, what: str) -> None:
        self._report.fault(self.member, f"{self.what} {named}: {what}")

    def _day(self, named: str, line: Json) -> int | None:
        day = self._closings.day_of(line["recorded_at"])
        if day is None:
            self._say(named, "it was recorded outside of the month")
        return day

    def end(self) -> None:
        """Nothing spans lines: the days' sums and digests do."""


class Postings(Rows):
    member, what = POSTINGS, "posting"

    def _take(self, line: Json) -> None:
        posting, digest = line["posting"], line["digest"]
        named, cents = posting["key"], [entry["cents"] for entry in posting["entries"]]
        text = json.dumps(posting, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if _sha256(text) != digest:
            self._say(named, "its digest is not that of its content")
        if sum(cents) != 0:
            self._say(named, f"its entries are out of balance by {sum(cents)} cents")
        if (day := self._day(named, line)) is None:
            return
        debit = sum(amount for amount in cents if amount > 0)
        credit = -sum(amount for amount in cents if amount < 0)
        self._closings.add(day, "ledger", (posting["currency"],), (1, len(cents), debit, credit))
        self._closings.add_digest(day, "postings", digest)
        if posting["kind"] in MOVED:
            self._count_money(day, posting)

    def _count_money(self, day: int, posting: Json) -> None:
        """By means of payment, what a payment took off its customer's account, and what a refund put back on it."""
        owed = sum(entry["cents"] for entry in posting["entries"] if entry["account"] == "receivable")
        source = MOVED[posting["kind"]] + (posting["facts"].get("kind") or "other")
        self._closings.add_posted(day, (source, posting["currency"]), owed if posting["kind"] == "refund" else -owed)


class Payments(Rows):
    member, what = PAYMENTS, "payment"

    def _take(self, line: Json) -> None:
        named, source = line["posting"], MOVED[line["of"]] + line["kind"]
        if (day := self._day(named, line)) is not None:
            self._closings.add(day, "payments", (source, line["currency"]), (1, line["cents"]))


class Charges(Rows):
    member, what = CHARGES, "charge"

    def _take(self, line: Json) -> None:
        named = line["id"]
        net, vat, gross = (line[f"{name}_cents"] for name in ("net", "vat", "gross"))
        if net + vat != gross:
            self._say(named, "net and VAT are not its gross")
        if (day := self._day(named, line)) is None:
            return
        self._closings.add(day, "charges", (line["currency"],), (1, net, vat, gross))
        self._closings.add_digest(day, "charges", _sha256("|".join(str(line[name]) for name in CHARGE_FIELDS)))
