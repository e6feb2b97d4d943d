"""What an operator exports, read as anybody could who has only the files: no database, no code of the product."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """The files of one operator: archives of consecutive months, and what it was given for the year.

    `charges` is the list that the API answers with: it alone says which prices had VAT in them.
    """

    country: str
    archives: tuple[bytes, ...]
    ledger: bytes
    trial_balance: bytes
    vat_returns: tuple[bytes, ...]
    charges: bytes

    @cached_property
    def documents(self) -> list[Json]:
        """Each record of the archives with its snapshot, read, under `content`; in the order of its series."""
        records = [{**record, "content": json.loads(record["snapshot"])} for record in self._records("documents.jsonl")]
        return sorted(records, key=lambda record: (record["series"], record["sequence"]))

    @cached_property
    def contents(self) -> list[Json]:
        return [record["content"] for record in self.documents]

    @cached_property
    def postings(self) -> list[Json]:
        return [record["posting"] for record in self._records("postings.jsonl")]

    @cached_property
    def archived_charges(self) -> list[Json]:
        return self._records("charges.jsonl")

    @cached_property
    def payments(self) -> list[Json]:
        """Money that came (`of` payment) or went back (`of` refund, its cents positive too)."""
        return self._records("payments.jsonl")

    @cached_property
    def closings(self) -> list[Json]:
        """As `documents`; in the order of their kind."""
        found = [{**record, "content": json.loads(record["snapshot"])} for record in self._records("closings.jsonl")]
        return sorted(found, key=lambda record: (record["content"]["kind"], record["content"]["number"]))

    @cached_property
    def listed_charges(self) -> dict[str, Json]:
        return {charge["id"]: charge for charge in json.loads(self.charges)}

    @cached_property
    def rows(self) -> list[Row]:
        return fec(self.ledger) if self.country == "FR" else semicolons(self.ledger)

    def manifests(self) -> list[tuple[Json, dict[str, bytes]]]:
        """Of each archive, with the files that it names."""
        return [(json.loads(files["manifest.json"]), files) for files in map(unpacked, self.archives)]

    def _records(self, name: str) -> list[Json]:
        found = []
        for archive in self.archives:
            found += [json.loads(line) for line in unpacked(archive)[name].decode().split("\n") if line]
        return found


@dataclass(frozen=True)
class Row:
    """A line of the ledger; `cents` are positive for a debit, negative for a credit."""

    entry: int
    day: str
    account: str
    customer: str
    document: str
    cents: int


def unpacked(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(archive)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def semicolons(text: bytes) -> list[Row]:
    """The CSV for accounting packages. No text in it has a semicolon here."""
    head, *lines = text.decode("utf-8").splitlines()
    names = head.split(";")
    read = [dict(zip(names, line.split(";"), strict=True)) for line in lines]
    return [
        Row(
            entry=int(row["Number"]),
            day="-".join(reversed(row["Date"].split("/"))),
            account=row["Account"],
            customer=row["Customer"],
            document=row["Document"],
            cents=cents(row["Debit"]) - cents(row["Credit"]),
        )
        for row in read
    ]


def fec(text: bytes) -> list[Row]:
    """The file of article A47 A-1 of the Livre des procédures fiscales: eighteen fields between tabs."""
    head, *lines = text.decode("iso8859-15").splitlines()
    names = head.split("\t")
    assert len(names) == 18
    read = [dict(zip(names, line.split("\t"), strict=True)) for line in lines]
    return [
        Row(
            entry=int(row["EcritureNum"]),
            day=f"{row['EcritureDate'][:4]}-{row['EcritureDate'][4:6]}-{row['EcritureDate'][6:]}",
            account=row["CompteNum"],
            customer=row["CompAuxNum"],
            document=row["PieceRef"] if row["JournalCode"] == "VE" else "",
            cents=cents(row["Debit"]) - cents(row["Credit"]),
        )
        for row in read
    ]


def cents(text: str) -> int:
    """`1234,56` is 123456, nothing is 0."""
    if not text:
        return 0
    units, _, parts = text.partition(",")
    assert len(parts) == 2 and (units.isdigit()) and parts.isdigit(), text
    return int(units) * 100 + int(parts)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entries(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.entry].append(row)
    return dict(found)
