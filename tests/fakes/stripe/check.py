"""Whether the books agree with the objects: each side is added up by itself, and then compared."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.fakes.stripe.store import Thing

if TYPE_CHECKING:
    from tests.fakes.stripe.fake import Fake


def differences(fake: Fake) -> list[str]:
    """All that does not agree, in words; empty when the books are honest."""
    found = list(fake.books.broken) + [f"an endpoint broke: {what}" for what in fake.crashes]
    taken = {charge["id"]: charge for charge in _all(fake, "charge") if charge["id"] in fake.books.charges}
    refunds, disputes = _by_charge(fake, "refund"), _by_charge(fake, "dispute")
    for key, line in fake.books.charges.items():
        found += _of_charge(fake, taken[key], line, refunds[key], disputes[key])
    found += [
        f"{charge['id']} is paid, but not in the books"
        for charge in _all(fake, "charge")
        if charge["paid"] and charge["id"] not in taken and charge["source_transfer"] is None
    ]
    return found + _balances(fake)


def _all(fake: Fake, kind: str) -> list[Thing]:
    return [thing for account in list(fake.store.things) for thing in fake.store.all(account, kind)]


def _by_charge(fake: Fake, kind: str) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = defaultdict(list)
    for thing in _all(fake, kind):
        found[thing["charge"]].append(thing)
    return found


def _of_charge(
    fake: Fake, charge: Thing, line: dict[str, Any], refunds: list[Thing], disputes: list[Thing]
) -> list[str]:
    account = line["account"]
    standing = sum(refund["amount"] for refund in refunds if refund["status"] in ("succeeded", "pending"))
    kept = sum(one["amount"] for one in disputes if one["status"] != "won")
    compared = {
        "charged": (line["charged"], charge["amount_captured"]),
        "refunded": (line["refunded"], charge["amount_refunded"]),
        "refunds": (line["refunded"], standing),
        "disputed": (line["disputed"], kept),
    }
    if charge["balance_transaction"]:
        entry = fake.store.get(account, "balance_transaction", charge["balance_transaction"])
        compared["fee"] = (line["fee"], entry["fee"] if entry else -1)
    wrong = [
        f"{charge['id']} {name}: books {ours}, object {theirs}"
        for name, (ours, theirs) in compared.items()
        if ours != theirs
    ]
    if charge["amount_refunded"] > charge["amount_captured"]:
        wrong.append(f"{charge['id']} gave back more than it took")
    return wrong


def _balances(fake: Fake) -> list[str]:
    objects: dict[tuple[str, str], int] = defaultdict(int)
    for account in list(fake.store.things):
        for entry in fake.store.all(account, "balance_transaction"):
            objects[account, entry["currency"]] += entry["net"]
        for charge in fake.store.all(account, "charge"):  # those whose transaction is still to come
            line = fake.books.charges.get(charge["id"])
            if line and charge["balance_transaction"] is None:
                objects[account, charge["currency"]] += line["charged"] - line["fee"]
    books = {
        (account, currency): sums.get("balance", 0)
        for account, units in fake.books.totals().items()
        for currency, sums in units.items()
    }
    return [
        f"balance of {account} in {currency}: books {books.get((account, currency), 0)}, objects {amount}"
        for (account, currency), amount in objects.items()
        if books.get((account, currency), 0) != amount
    ] + [f"balance of {key}: in the books alone" for key in books.keys() - objects.keys() if books[key]]
