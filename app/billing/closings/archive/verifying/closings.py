"""The chain of closings in an archive: hashes, numbers, days without gap, sums of sums, perpetual grand totals."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from app.billing.closings.archive.format import BEFORE, CLOSINGS, MANIFEST
from app.billing.closings.archive.verifying.report import Report
from app.billing.closings.archive.verifying.sums import GRAND, TABLES, Digest, Sums

Json = dict[str, Any]
KINDS = ("day", "month", "year")
DIGESTS = ("documents", "postings", "charges")
ONE_DAY = timedelta(days=1)
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


class Closings:
    """What closings say, and what the archive's rows, told one by one, come to."""

    def __init__(self, report: Report, manifest: Json) -> None:
        self._report = report
        self._manifest = manifest
        self._said: dict[str, dict[str, list[tuple[str, Json]]]] = {
            member: {kind: [] for kind in KINDS} for member in (BEFORE, CLOSINGS)
        }
        self._starts: list[str] = []
        self._sums: list[Sums] = []
        self._posted: list[Sums] = []
        self._digests: list[dict[str, Digest]] = []
        self._spans: list[dict[str, list[int]]] = []

    def read(self, member: str, lines: Iterable[tuple[int, Json]]) -> None:
        for no, line in lines:
            try:
                text, said_hash = line["snapshot"], line["hash"]
                said = json.loads(text)
                kept = self._said[member][said["kind"]]
                named = f"closing {said['kind']} {said['number']}"
            except UNREADABLE:
                self._report.fault(member, f"line {no} is no closing")
                continue
            if hashlib.sha256(text.encode()).hexdigest() != said_hash:
                self._report.fault(member, f"{named}: its hash is not that of its content")
            kept.append((said_hash, said))

    @property
    def days(self) -> list[Json]:
        return [said for _, said in self._said[CLOSINGS]["day"]]

    def check(self) -> None:
        """Before rows are told: each chain on its own, and how they hang together."""
        for kind in KINDS:
            self._guarded(kind, self._check_chain, kind)
        for kind in ("month", "year"):
            for _, said in self._said[CLOSINGS][kind]:
                self._guarded(kind, self._check_against_days, kind, said)
        self._guarded("day", self._check_days)
        for _ in self.days:
            self._sums.append(Sums(TABLES))
            self._posted.append(Sums({"payments": TABLES["payments"]}))
            self._digests.append({name: Digest() for name in DIGESTS})
            self._spans.append({})

    def _guarded(self, kind: str, work: Callable[..., None], *given: Any) -> None:
        try:
            work(*given)
        except UNREADABLE as error:
            self._report.fault(CLOSINGS, f"closings of kind {kind} have not the shape they should ({error!r})")

    def _check_chain(self, kind: str) -> None:
        before, inside = self._said[BEFORE][kind], self._said[CLOSINGS][kind]
        last = before[-1] if before else None
        for said_hash, said in inside:
            named = f"closing {kind} {said['number']}"
            if said["previous_hash"] != (last[0] if last else None):
                self._report.fault(CLOSINGS, f"{named}: the hash of the one before is not what it says")
            if said["number"] != (last[1]["number"] + 1 if last else 1):
                self._report.fault(CLOSINGS, f"{named}: its number does not follow")
            grand = Sums(GRAND)
            for tables in ([last[1]["grand_totals"]] if last else []) + [said["totals"]]:
                grand.add_tables(tables)
            for difference in grand.differences(said["grand_totals"]):
                self._report.fault(CLOSINGS, f"{named}: grand total of {difference}")
            last = said_hash, said
        self._check_head(kind, "before", before)
        self._check_head(kind, "after", inside)

    def _check_head(self, kind: str, when: str, those: list[tuple[str, Json]]) -> None:
        head = {"number": those[-1][1]["number"], "hash": those[-1][0]} if those else None
        if self._manifest and self._manifest["heads"]["closings"][kind][when] != head:
            self._report.fault(MANIFEST, f"the {kind}s' chain {when} the month is not as it says")

    def _check_days(self) -> None:
        if not self.days:
            self._report.fault(CLOSINGS, "it has no daily closing")
            return
        for one, after in pairwise(self.days):
            apart = date.fromisoformat(after["first_day"]) - date.fromisoformat(one["last_day"])
            if after["starts_at"] != one["ends_at"] or apart != ONE_DAY:
                self._report.fault(CLOSINGS, f"closing day {after['number']} does not begin where the one before ends")
        self._starts = [said["starts_at"] for said in self.days]
        month = self._manifest.get("month")
        if self._manifest and any(said["first_day"][:7] != month for said in self.days):
            self._report.fault(CLOSINGS, f"a daily closing is not of {month}")

    def _check_against_days(self, kind: str, said: Json) -> None:
        """A month is the sum of its days; a year's days are not all here, but its grand totals are its last day's."""
        named, last_hash, last = f"closing {kind} {said['number']}", *self._said[CLOSINGS]["day"][-1]
        if said["days"]["head"] != last_hash or said["days"]["last"] != last["number"]:
            self._report.fault(CLOSINGS, f"{named}: its last day is another")
        if said["grand_totals"] != last["grand_totals"] or said["ends_at"] != last["ends_at"]:
            self._report.fault(CLOSINGS, f"{named}: its grand totals are not those of its last day")
        if kind == "month":
            self._check_month(named, said)

    def _check_month(self, named: str, said: Json) -> None:
        sums, digests = Sums(TABLES), {name: Digest() for name in DIGESTS}
        for day in self.days:
            sums.add_tables(day["totals"])
            for name in DIGESTS:
                digests[name].add(day["digests"][name])
        for difference in sums.differences(said["totals"]):
            self._report.fault(CLOSINGS, f"{named}: {difference}")
        for name in DIGESTS:
            if digests[name].hex() != said["digests"][name]:
                self._report.fault(CLOSINGS, f"{named}: its digest of {name} is not that of its days")
        if self._manifest and self._manifest.get("totals") != said["totals"]:
            self._report.fault(MANIFEST, "its totals are not those of the month's closing")

    def day_of(self, recorded_at: str) -> int | None:
        """Which daily closing counts what was recorded then."""
        place = bisect_right(self._starts, recorded_at) - 1
        return place if place >= 0 and recorded_at < self.days[place]["ends_at"] else None

    def add(self, day: int, table: str, key: tuple[Any, ...], amounts: Iterable[int]) -> None:
        self._sums[day].add(table, key, amounts)

    def add_posted(self, day: int, key: tuple[Any, ...], cents: int) -> None:
        """What a posting says of money that came or went: it must be what the payments themselves say."""
        self._posted[day].add("payments", key, (1, cents))

    def add_digest(self, day: int, name: str, text: str) -> None:
        self._digests[day][name].add(text)

    def add_number(self, day: int, series: str, sequence: int) -> None:
        span = self._spans[day].setdefault(series, [sequence, sequence])
        span[:] = [min(span[0], sequence), max(span[1], sequence)]

    def compare(self) -> None:
        """After all rows were told: each day's totals against what its closing says."""
        for place, said in enumerate(self.days):
            self._guarded("day", self._compare_day, place, said)

    def _compare_day(self, place: int, said: Json) -> None:
        named = f"closing day {said['number']} ({said['first_day']})"
        for difference in self._sums[place].differences(said["totals"]):
            self._report.fault(CLOSINGS, f"{named}: {difference}")
        for difference in self._posted[place].differences(said["totals"]):
            self._report.fault(CLOSINGS, f"{named}: by the postings, {difference}")
        for name in DIGESTS:
            if self._digests[place][name].hex() != said["digests"][name]:
                self._report.fault(CLOSINGS, f"{named}: what is here of {name} is not what it closed")
        for row in said["totals"]["documents"]:
            if self._spans[place].get(row["series"]) != [row["first"], row["last"]]:
                self._report.fault(CLOSINGS, f"{named}: first or last number of {row['series']} is another")
