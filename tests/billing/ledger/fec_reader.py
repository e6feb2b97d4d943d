"""An independent reader of the FEC, written from article A47 A-1 of the Livre des procédures fiscales alone.

It shares nothing with what writes the file: neither names of fields, nor numbers of accounts, nor ways to parse.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

THE_18 = [
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
]  # fmt: skip
OPTIONAL = {"CompAuxNum", "CompAuxLib", "EcritureLet", "DateLet", "Montantdevise", "Idevise"}
TOGETHER = (("CompAuxNum", "CompAuxLib"), ("EcritureLet", "DateLet"), ("Montantdevise", "Idevise"))


class NotAFec(AssertionError):
    """What the rule forbids, and in which line."""


@dataclass(frozen=True)
class Fec:
    """The records as dictionaries, amounts in cents."""

    records: list[dict[str, str]]
    debit: int
    credit: int
    balances: dict[tuple[str, str], int]  # by account and auxiliary account


def read_fec(name: str, octets: bytes) -> Fec:
    """Raises NotAFec for anything that the article does not allow."""
    require(re.fullmatch(r"\d{9}FEC\d{8}(\.\w+)?", name) is not None, f"its name is {name}")
    day_of(name[12:20], "its name")
    require(luhn(name[:9]), "the SIREN of its name has a wrong check digit")
    text = octets.decode("iso8859-15")
    require(text.endswith("\n"), "its last record does not end")
    first, *rest = (row.removesuffix("\r") for row in text.removesuffix("\n").split("\n"))
    separator = "\t" if "\t" in first else "|"
    require(first.split(separator) == THE_18, f"its first line is {first!r}")
    records = [record_of(row.split(separator), number) for number, row in enumerate(rest, start=2)]
    check_sequence(records)
    debit, credit, balances = 0, 0, defaultdict[tuple[str, str], int](int)
    for record in records:
        plus, minus = cents_of(record["Debit"]), cents_of(record["Credit"])
        debit, credit = debit + plus, credit + minus
        balances[record["CompteNum"], record["CompAuxNum"]] += plus - minus
    require(debit == credit, f"debits are {debit}, credits {credit}")
    return Fec(records, debit, credit, dict(balances))


def record_of(values: list[str], number: int) -> dict[str, str]:
    where = f"line {number}"
    require(len(values) == 18, f"{where} has {len(values)} fields")
    record = dict(zip(THE_18, values, strict=True))
    for field, value in record.items():
        require(bool(value) or field in OPTIONAL, f"{where}: {field} is empty")
        require(value == value.strip(), f"{where}: {field} has blanks around it")
        if field.endswith("Date") or field == "DateLet":
            value and day_of(value, f"{where}: {field}")
    for one, other in TOGETHER:
        require(bool(record[one]) == bool(record[other]), f"{where}: {one} without {other}")
    require(re.match(r"[1-8]\d\d", record["CompteNum"]) is not None, f"{where}: account {record['CompteNum']}")
    require(0 in (cents_of(record["Debit"]), cents_of(record["Credit"])), f"{where}: a debit and a credit")
    return record


def check_sequence(records: list[dict[str, str]]) -> None:
    """Numbers on one continuous sequence, validated in chronological order, each entry balanced and of one day."""
    sums: dict[str, int] = defaultdict(int)
    days: dict[str, set[str]] = defaultdict(set)
    for record in records:
        sums[record["EcritureNum"]] += cents_of(record["Debit"]) - cents_of(record["Credit"])
        days[record["EcritureNum"]].add(record["EcritureDate"] + record["JournalCode"])
    require(list(sums) == [str(n) for n in range(1, len(sums) + 1)], f"the numbers are {list(sums)[:20]}")
    numbers = [int(record["EcritureNum"]) for record in records]
    require(numbers == sorted(numbers), "the lines of an entry do not stand together")
    require({number for number, cents in sums.items() if cents} == set(), "an entry does not balance")
    require(all(len(each) == 1 for each in days.values()), "an entry of two days or journals")
    validated = [record["ValidDate"] for record in records if record["JournalCode"] != "AN"]
    require(validated == sorted(validated), "not in the order of validation")
    opening = [record["JournalCode"] == "AN" for record in records]
    require(opening == sorted(opening, reverse=True), "balances brought forward come first")


def cents_of(amount: str) -> int:
    require(re.fullmatch(r"-?\d+,\d{2}", amount) is not None, f"{amount!r} is no amount")
    return int(amount.replace(",", ""))


def day_of(value: str, where: str) -> None:
    require(re.fullmatch(r"\d{8}", value) is not None, f"{where} is {value!r}")
    try:
        datetime.strptime(value, "%Y%m%d")  # noqa: DTZ007
    except ValueError:
        raise NotAFec(f"{where} is {value!r}") from None


def luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits)]
    return sum(n // 10 + n % 10 for n in doubled) % 10 == 0


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotAFec(otherwise)
