"""Faults to plant in an operator's files: a cent here, a document there. Each gives what a forger would leave.

Whoever changes what is sealed seals it again: hashes and sums of octets are right, and only arithmetic can tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.oracles.books.reading import Exported, Json, cents, packed, sha256, unpacked

Change = Callable[[Json], None]
Records = list[Json]


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def in_archive(exported: Exported, name: str, change: Callable[[Records], object], *, nth: int = -1) -> Exported:
    """The records of one file of an archive, changed, and the manifest made to fit."""
    files = unpacked(exported.archives[nth])
    records = [json.loads(line) for line in files[name].decode().split("\n") if line]
    change(records)
    files[name] = "".join(f"{_written(record)}\n" for record in records).encode()
    manifest = json.loads(files["manifest.json"])
    [member] = [member for member in manifest["members"] if member["name"] == name]
    member |= {"sha256": sha256(files[name]), "octets": len(files[name]), "lines": len(records)}
    files["manifest.json"] = _written(manifest).encode()
    archives = list(exported.archives)
    archives[nth] = packed(files)
    return replace(exported, archives=tuple(archives))


def sealed_again(change: Change, *, of: str = "invoice") -> Callable[[Records], None]:
    """Changes the content of the newest document of a kind, which no later one names, and its hash with it."""

    def act(records: Records) -> None:
        found = [record for record in records if json.loads(record["snapshot"])["kind"] == of]
        newest = max(found, key=lambda record: record.get("sequence", 0))
        content = json.loads(newest["snapshot"])
        change(content)
        newest["snapshot"] = _written(content)
        newest["hash"] = sha256(newest["snapshot"].encode())

    return act


def document(exported: Exported, change: Change, *, of: str = "invoice") -> Exported:
    return in_archive(exported, "documents.jsonl", sealed_again(change, of=of))


def a_payment(exported: Exported) -> Exported:
    return in_archive(exported, "payments.jsonl", lambda records: _add(records[0], "cents"), nth=1)


def a_payment_left_out(exported: Exported) -> Exported:
    return in_archive(exported, "payments.jsonl", lambda records: records.pop(0), nth=1)


def a_means_of_payment(exported: Exported) -> Exported:
    return in_archive(exported, "payments.jsonl", lambda records: records[0].update(kind="terminal"), nth=1)


def a_lines_net(exported: Exported) -> Exported:
    return document(exported, lambda content: _add(content["lines"][0], "net_cents"))


def a_tax_with_its_totals(exported: Exported) -> Exported:
    def change(content: Json) -> None:
        _add(content["taxes"][0], "vat_cents")
        for name in ("vat_cents", "gross_cents", "due_cents"):
            _add(content["totals"], name)

    return document(exported, change)


def a_tax_of_a_credit_note(exported: Exported) -> Exported:
    return document(exported, lambda content: _add(content["taxes"][0], "vat_cents"), of="credit_note")


def what_is_due(exported: Exported) -> Exported:
    return document(exported, lambda content: _add(content["totals"], "due_cents"))


def another_regime(exported: Exported) -> Exported:
    """The same amounts, on a ground that the seller has not."""

    def change(content: Json) -> None:
        now = content["seller"]["regime"]
        content["seller"]["regime"] = "standard" if now == "small_business" else "small_business"

    return document(exported, change)


def the_day_of_issue(exported: Exported) -> Exported:
    return document(exported, lambda content: content.update(issued_on="2026-04-30"))


def the_buyer(exported: Exported) -> Exported:
    other = exported.contents[0]["buyer"]["id"]

    def change(content: Json) -> None:
        content["buyer"]["id"] = other if content["buyer"]["id"] != other else "somebody else"

    return document(exported, change)


def a_content_without_its_hash(exported: Exported) -> Exported:
    def change(records: Records) -> None:
        records[0]["snapshot"] = records[0]["snapshot"].replace('"lines":', '"lines" :')

    return in_archive(exported, "documents.jsonl", change)


def a_document_left_out(exported: Exported) -> Exported:
    return in_archive(exported, "documents.jsonl", lambda records: records.pop(1), nth=1)


def the_newest_document_left_out(exported: Exported) -> Exported:
    """No number after it shows the gap."""
    return in_archive(exported, "documents.jsonl", lambda records: records.pop(-1))


def an_octet_of_the_archive(exported: Exported) -> Exported:
    files = unpacked(exported.archives[0])
    files["charges.jsonl"] = files["charges.jsonl"].replace(b"booking", b"bookinG", 1)
    return replace(exported, archives=(packed(files), *exported.archives[1:]))


def a_charge(exported: Exported) -> Exported:
    return in_archive(exported, "charges.jsonl", lambda records: _add(records[0], "net_cents"), nth=0)


def a_charge_left_out(exported: Exported) -> Exported:
    """A charge that is on a document, out of the archive that it was sealed with."""
    invoiced = {line["charge_id"] for content in exported.contents for line in content["lines"]}

    def change(records: Records) -> None:
        records.remove(next(record for record in records if record["id"] in invoiced))

    return in_archive(exported, "charges.jsonl", change, nth=0)


def a_listed_charge(exported: Exported) -> Exported:
    charges = json.loads(exported.charges)
    for name in ("net_cents", "amount_cents"):
        _add(charges[0]["price"], name)
    return replace(exported, charges=json.dumps(charges).encode())


def a_charge_on_no_document(exported: Exported) -> Exported:
    charges = json.loads(exported.charges)
    return replace(exported, charges=json.dumps([*charges, {**charges[0], "id": "one more"}]).encode())


def a_posting(exported: Exported) -> Exported:
    """From one of its accounts to another, so that it balances."""

    def change(records: Records) -> None:
        first, second = records[0]["posting"]["entries"][:2]
        _add(first, "cents")
        _add(second, "cents", -1)

    return in_archive(exported, "postings.jsonl", change, nth=0)


def a_closing(exported: Exported) -> Exported:
    def change(records: Records) -> None:
        [month] = [record for record in records if json.loads(record["snapshot"])["kind"] == "month"]
        content = json.loads(month["snapshot"])
        _add(content["grand_totals"]["documents"][0], "net_cents")
        month["snapshot"] = _written(content)
        month["hash"] = sha256(month["snapshot"].encode())

    return in_archive(exported, "closings.jsonl", change)


def a_box(exported: Exported) -> Exported:
    returned = json.loads(exported.vat_returns[-1])
    _add(max(returned["boxes"], key=lambda box: int(box["amount_cents"])), "amount_cents")
    return replace(exported, vat_returns=(*exported.vat_returns[:-1], json.dumps(returned).encode()))


def an_account_of_the_trial_balance(exported: Exported) -> Exported:
    balance = json.loads(exported.trial_balance)
    _add(balance["accounts"][0], "closing_cents")
    return replace(exported, trial_balance=json.dumps(balance).encode())


def a_row_of_the_ledger(exported: Exported) -> Exported:
    return ledger(exported, {0: 1})


def an_entry_of_the_ledger(exported: Exported) -> Exported:
    """A customer owes a cent more, and it is income: the entry balances."""
    return ledger(exported, {0: 1, 1: 1})


def an_invoice_in_the_ledger(exported: Exported) -> Exported:
    """A cent less of VAT due, and less asked for: the entry balances."""
    number = next(content["number"] for content in exported.contents if content["kind"] == "invoice")
    rows = [place for place, row in enumerate(exported.rows) if row.document == number]
    customer = min(place for place in rows if exported.rows[place].account[:3] in ("400", "411"))
    taxed = next(place for place in rows if exported.rows[place].account in ("451000", "445710", "404000"))
    return ledger(exported, {customer: -1, taxed: -1})


def ledger(exported: Exported, more: dict[int, int]) -> Exported:
    """So many cents more in the amount of these rows, whichever side it stands on."""
    french = exported.country == "FR"
    encoding, between = ("iso8859-15", "\t") if french else ("utf-8", ";")
    head, *lines = exported.ledger.decode(encoding).splitlines()
    names = head.split(between)
    for place, amount in more.items():
        fields = lines[place].split(between)
        side = next(at for at in (names.index("Debit"), names.index("Credit")) if cents(fields[at]))
        whole, parts = divmod(cents(fields[side]) + amount, 100)
        fields[side] = f"{whole},{parts:02d}"
        lines[place] = between.join(fields)
    return replace(exported, ledger="".join(f"{line}\r\n" for line in [head, *lines]).encode(encoding))


def _add(row: Json, name: str, amount: int = 1) -> None:
    row[name] += amount
