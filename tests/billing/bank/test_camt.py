"""CAMT.053 files: what is read of them, and what is refused as a whole, with a remedy."""

from __future__ import annotations

import gzip
from datetime import date

import pytest

from app.billing.bank import camt
from app.billing.bank.movements import StatementRefused, StatementUnbalanced
from tests.billing.bank.house import credited, statement
from tests.oracles.bank.writing import Entry, Transaction

DAY = date(2026, 11, 10)


@pytest.mark.parametrize("version", ["02", "04", "08"])
def test_each_version_says_the_same(version: str) -> None:
    told = {"servicer": "R1", "end_to_end": "E1", "structured": "261000000136", "name": "Ana", "account": "BE1"}
    entry = credited(12_345, **told, free=("merci", "bien à vous"))
    [read] = camt.read(statement(entry, version=version))
    [line] = read.movements
    assert (line.cents, line.booked_on, line.bank_ref, line.end_to_end_id) == (12_345, DAY, "R1", "E1")
    assert (line.structured, line.name, line.iban) == ("261000000136", "Ana", "BE1")
    assert (line.text, line.code, line.is_reversal) == ("merci bien à vous", "PMNT.RCDT.ESCT", False)


def test_an_entry_of_several_transactions_is_as_many_movements() -> None:
    entry = Entry(DAY, (Transaction(100, "A"), Transaction(250, "B"), Transaction(-50, "C")))
    [read] = camt.read(statement(entry))
    assert [(line.cents, line.bank_ref) for line in read.movements] == [(100, "A"), (250, "B"), (-50, "C")]


def test_what_is_returned_says_why() -> None:
    back = Entry(DAY, (Transaction(-100, "A", returned="MS03", name="Ana"),), reversal=True)
    [line] = camt.read(statement(back))[0].movements
    assert (line.cents, line.is_reversal, line.return_reason, line.name) == (-100, True, "MS03", "Ana")


def test_pending_and_foreign_entries_are_set_aside_and_not_counted() -> None:
    aside = (Entry(DAY, (Transaction(7, "P"),), status="PDNG"), Entry(DAY, (Transaction(9, "F"),), currency="USD"))
    [read] = camt.read(statement(credited(100), *aside))
    assert (len(read.movements), read.pending, len(read.foreign)) == (1, 1, 1)


def test_entries_that_do_not_make_the_closing_balance_are_refused_with_the_difference() -> None:
    with pytest.raises(StatementUnbalanced) as refused:
        camt.read(statement(credited(500), closing=100_499))
    assert refused.value.facts["out_by"] == -1


GOOD = statement(credited(100, servicer="A"))
BOMB = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
DEEP = b"<Id>" + b"<x>" * 400 + b"</x>" * 400 + b"</Id>"

REFUSED = {
    "nothing": (b"", "empty"),
    "blanks": (b"  \n", "empty"),
    "gzip": (gzip.compress(GOOD), "packed (gzip)"),
    "zip": (b"PK\x03\x04" + GOOD, "packed (zip)"),
    "no XML": (b":20:940\n:25:BE1", "not well-formed"),
    "cut short": (GOOD[: len(GOOD) // 2], "not well-formed"),
    "another message": (GOOD.replace(b"camt.053", b"camt.054"), "not one of"),
    "another version": (GOOD.replace(b"053.001.08", b"053.001.13"), "not one of"),
    "no namespace": (b"<Document><BkToCstmrStmt/></Document>", "not one of"),
    "entities": (GOOD.replace(b"<Document", BOMB + b"<Document").replace(b">A<", b">&b;<"), "DOCTYPE"),
    "a file from outside": (GOOD.replace(b"<Document", OUTSIDE + b"<Document").replace(b">A<", b">&a;<"), "DOCTYPE"),
    "too deep": (GOOD.replace(b"<GrpHdr>", DEEP + b"<GrpHdr>"), "not well-formed"),
    "no statement": (GOOD[: GOOD.index(b"<Stmt>")] + b"</BkToCstmrStmt></Document>", "no statement"),
    "no balance": (GOOD.replace(b"OPBD", b"XXXX"), "opening"),
    "half a cent": (GOOD.replace(b">1.00<", b">1.005<"), "no amount"),
    "a float": (GOOD.replace(b">1.00<", b">1e2<"), "no amount"),
    "no sign": (GOOD.replace(b"CRDT", b"C"), "CdtDbtInd"),
    "no day": (GOOD.replace(b"2026-11-10", b"2026-13-10"), "no day"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_no_statement_is_refused_with_a_remedy(case: str) -> None:
    octets, said = REFUSED[case]
    with pytest.raises(StatementRefused) as refused:
        camt.read(octets)
    [error] = refused.value.facts["errors"]
    assert error["field"] == "file" and said in error["message"]


def test_a_file_above_the_limit_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt, "LARGEST", 100)
    with pytest.raises(StatementRefused, match="larger"):
        camt.read(GOOD)
