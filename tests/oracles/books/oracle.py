"""Recomputes an operator's books and VAT return from its own documents, and names whatever does not tie out.

    assert objections(exported) == []

Written from the law, the files and docs/operators.md alone; integers and fractions, never a float. It expects books in
which all that was supplied is invoiced: what waits for an invoice, or was prepaid, stands at zero.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction

from tests.oracles.books.archives import chains, closings, differs, packing
from tests.oracles.books.reading import Exported, Json, entries
from tests.oracles.books.returns import RATES, UNION, expected_boxes

# The plan of each country: customers, VAT that is due. Whatever else begins with 6 or 7 is the year's result.
CUSTOMERS = {"BE": "400", "FR": "411"}
VAT_DUE = {"BE": "4510", "FR": "44571"}
# Where money is that came in cash, and by a card on the desk's terminal until the bank has it.
MONEY = {"BE": {"cash": "57", "terminal": "58"}, "FR": {"cash": "53", "terminal": "511"}}


def objections(exported: Exported) -> list[str]:
    """Each sentence names a file, what was expected and what was found."""
    told: list[str] = []
    for look in (packing, chains, _documents, _grounds, _charges, _vat_returns, _ledger, _customers, _money,
                 _trial_balance, _postings, closings):  # fmt: skip
        told += [f"{look.__name__.strip('_')}: {fault}" for fault in look(exported)]
    return told


def half_up(exact: Fraction) -> int:
    """To whole cents; a half goes away from zero."""
    rounded = int((abs(exact) * 2 + 1) // 2)
    return rounded if exact >= 0 else -rounded


def came(payment: Json) -> int:
    """Cents that came; below zero those that went back."""
    return int(payment["cents"]) * (-1 if payment["of"] == "refund" else 1)


def sign(content: Json) -> int:
    return -1 if content["kind"] == "credit_note" else 1


# --- documents and charges


def _documents(exported: Exported) -> Iterator[str]:
    """VAT is what the law takes of each rate's total, half a cent up; totals are sums; nothing else is asked for."""
    for content in exported.contents:
        number, totals = content["number"], content["totals"]
        stated = {(tax["category"], tax["permille"]): tax for tax in content["taxes"]}
        lines: dict[tuple[str, int], list[Json]] = defaultdict(list)
        for line in content["lines"]:
            lines[line["vat"]["category"], line["vat"]["permille"]].append(line)
        yield from differs(f"rates of {number}", sorted(lines), sorted(stated))
        for key in lines.keys() & stated.keys():
            what = f"{number} at {key[0]} {key[1]}"
            yield from _taxed(exported, content, what, lines[key], stated[key])
        net = sum(line["net_cents"] for line in content["lines"])
        vat = sum(tax["vat_cents"] for tax in content["taxes"])
        expected = {"net_cents": net, "vat_cents": vat, "gross_cents": net + vat, "due_cents": net + vat}
        yield from differs(f"totals of {number}", expected, totals)


def _taxed(exported: Exported, content: Json, what: str, lines: list[Json], stated: Json) -> Iterator[str]:
    """Of a price without VAT the rate's share comes on top; of a price with VAT it is the share that is in it."""
    rate = Fraction(stated["permille"], 1000)
    without = with_it = 0
    for line in lines:
        charge = exported.listed_charges.get(line["charge_id"])
        if charge is None:
            yield f"line {line['no']} of {what} is of a charge that nobody lists"
            return
        price, of_credit = charge["price"], sign(content)
        without += 0 if charge["vat"]["includes_vat"] else price["net_cents"] * of_credit
        with_it += price["amount_cents"] * of_credit if charge["vat"]["includes_vat"] else 0
        exact = Fraction(price["amount_cents"]) / (1 + rate) if charge["vat"]["includes_vat"] else price["net_cents"]
        if abs(exact * of_credit - line["net_cents"]) >= (1 if charge["vat"]["includes_vat"] else Fraction(1, 1000)):
            yield f"line {line['no']} of {what} should be about {exact * of_credit}, is {line['net_cents']}"
    in_prices = with_it * rate / (1 + rate)
    vat = half_up(without * rate + in_prices)
    yield from differs(f"VAT of {what}", vat, stated["vat_cents"])
    yield from differs(f"lines of {what}", sum(line["net_cents"] for line in lines), stated["net_cents"])
    if not with_it or not without:
        yield from differs(f"base of {what}", without or with_it - vat, stated["net_cents"])
    elif abs(without + with_it - in_prices - stated["net_cents"]) >= 1:
        yield f"base of {what} should be about {without + with_it - in_prices}, is {stated['net_cents']}"


def _grounds(exported: Exported) -> Iterator[str]:
    """Who takes VAT may, at a rate of the country; who takes none has a reason that the parties bear out."""
    for content in exported.contents:
        seller, buyer = content["seller"], content["buyer"]
        inside, home = buyer["country"] in UNION, buyer["country"] == seller["country"]
        borne_out = {
            "S": seller["regime"] == "standard",
            "E": seller["regime"] == "small_business",
            "AE": buyer["is_business"] and bool(buyer["vat_number"]) and inside and not home,
            "O": buyer["is_business"] and not inside,
        }
        for tax in content["taxes"]:
            what = f"{content['number']} at {tax['category']} {tax['permille']}"
            rates = RATES[exported.country] if tax["category"] == "S" else {0}
            yield from differs(f"whether {what} is a rate", True, tax["permille"] in rates)
            yield from differs(f"whether {what} is for these two", True, borne_out.get(tax["category"], False))


def _charges(exported: Exported) -> Iterator[str]:
    """All that was supplied is on one line of one document; the archive has each charge as the list has it."""
    invoiced = Counter(line["charge_id"] for content in exported.contents for line in content["lines"])
    yield from differs("charges on two lines", [], [charge for charge, times in invoiced.items() if times > 1])
    yield from differs("charges on no document", [], sorted(exported.listed_charges.keys() - invoiced.keys()))
    archived_only = {charge["id"] for charge in exported.archived_charges} - exported.listed_charges.keys()
    yield from differs("charges that nobody lists", set(), archived_only)
    archived_all = {charge["id"] for charge in exported.archived_charges}
    yield from differs("charges that the archives lack", [], sorted(invoiced.keys() - archived_all))
    for charge in exported.archived_charges:
        if charge["id"] in archived_only:
            continue
        price = exported.listed_charges[charge["id"]]["price"]
        listed = (price["net_cents"], price["vat_cents"], price["amount_cents"])
        archived = (charge["net_cents"], charge["vat_cents"], charge["gross_cents"])
        yield from differs(f"charge {charge['id']}", listed, archived)


# --- VAT returns


def _vat_returns(exported: Exported) -> Iterator[str]:
    for returned in map(json.loads, exported.vat_returns):
        period = f"{returned['from']} to {returned['to']}"
        issued = [c for c in exported.contents if returned["from"] <= c["issued_on"] <= returned["to"]]
        expected = expected_boxes(exported.country, issued)
        found = {box["box"]: box["amount_cents"] for box in returned["boxes"]}
        for box in sorted(expected.keys() | found.keys()):
            yield from differs(f"box {box} of {period}", expected.get(box, 0), found.get(box, 0))
        by_rate: Counter[tuple[object, ...]] = Counter()
        for tax in returned["taxes"]:
            by_rate[tax["document"], tax["category"], tax["rate_permille"], "net"] += tax["net_cents"]
            by_rate[tax["document"], tax["category"], tax["rate_permille"], "vat"] += tax["vat_cents"]
        own: Counter[tuple[object, ...]] = Counter()
        for content in issued:
            for tax in content["taxes"]:
                own[content["kind"], tax["category"], tax["permille"], "net"] += tax["net_cents"]
                own[content["kind"], tax["category"], tax["permille"], "vat"] += tax["vat_cents"]
        yield from differs(f"turnover by rate of {period}", own, by_rate)


# --- the ledger


def _ledger(exported: Exported) -> Iterator[str]:
    """Entries balance; each document stands there with its amounts; the year's sums are those of the documents."""
    for number, rows in entries(exported.rows).items():
        yield from differs(f"balance of entry {number}", 0, sum(row.cents for row in rows))
    numbers = sorted(entries(exported.rows))
    yield from differs("numbers of entries", list(range(1, len(numbers) + 1)), numbers)
    customers, vat_due = CUSTOMERS[exported.country], VAT_DUE[exported.country]
    net = vat = 0
    for content in exported.contents:
        rows = [row for row in exported.rows if row.document == content["number"]]
        totals, way = content["totals"], sign(content)
        asked = sum(row.cents for row in rows if row.account.startswith(customers))
        taxed = -sum(row.cents for row in rows if row.account.startswith(vat_due))
        yield from differs(f"{content['number']} on {customers}", way * totals["gross_cents"], asked)
        yield from differs(f"{content['number']} on {vat_due}", way * totals["vat_cents"], taxed)
        net, vat = net + way * totals["net_cents"], vat + way * totals["vat_cents"]
    balances = _balances(exported)
    due = -sum(cents for account, cents in balances.items() if account.startswith(vat_due))
    yield from differs("VAT due", vat, due)
    result = -sum(cents for account, cents in balances.items() if account[0] in "67")
    yield from differs("turnover with what rounding left", net, result)
    turnover = -sum(cents for account, cents in balances.items() if account[0] == "7")
    if abs(turnover - net) > len(exported.contents):
        yield f"turnover should be {net} but for rounding, is {turnover}"
    known = (customers, vat_due, "6", "7", *MONEY[exported.country].values())
    waiting = {account: cents for account, cents in balances.items() if cents and not account.startswith(known)}
    yield from differs("what waits for an invoice or was prepaid", {}, waiting)


def _customers(exported: Exported) -> Iterator[str]:
    """What each customer owes; a customer has one code, and a code is of one customer."""
    prefix = CUSTOMERS[exported.country]
    rows = [row for row in exported.rows if row.account.startswith(prefix)]
    code_of = {row.document: row.customer for row in rows if row.document}
    owed: Counter[str] = Counter()
    codes: dict[str, set[str]] = defaultdict(set)
    for content in exported.contents:
        owed[content["buyer"]["id"]] += sign(content) * content["totals"]["gross_cents"]
        codes[content["buyer"]["id"]].add(code_of.get(content["number"], "none"))
    for payment in exported.payments:
        owed[payment["party"]] -= came(payment)
    yield from differs("customers with several codes", [], [party for party, held in codes.items() if len(held) > 1])
    given = [code for held in codes.values() for code in held]
    yield from differs("codes of several customers", len(set(given)), len(given))
    for party, held in codes.items():
        found = sum(row.cents for row in rows if row.customer in held)
        yield from differs(f"what {party} owes", owed[party], found)
    yield from differs("what all owe", sum(owed.values()), sum(row.cents for row in rows))


def _money(exported: Exported) -> Iterator[str]:
    """What came and did not go back is where money of its means is; none of it pays more than it is."""
    held: Counter[str] = Counter()
    for payment in exported.payments:
        held[payment["kind"]] += came(payment)
        paid = sum(part["cents"] for part in payment["pays"])
        if payment["of"] == "payment" and not 0 <= paid <= payment["cents"]:
            yield f"payment {payment['id']} of {payment['cents']} pays {paid}"
    balances = _balances(exported)
    for kind, prefix in MONEY[exported.country].items():
        found = sum(cents for account, cents in balances.items() if account.startswith(prefix))
        yield from differs(f"money on {prefix}", held[kind], found)
    yield from differs("means of payment", set(), held.keys() - MONEY[exported.country].keys())


def _balances(exported: Exported) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in exported.rows:
        found[row.account] += row.cents
    return found


def _trial_balance(exported: Exported) -> Iterator[str]:
    stated = json.loads(exported.trial_balance)["accounts"]
    debits: Counter[str] = Counter()
    credits: Counter[str] = Counter()
    for row in exported.rows:
        debits[row.account] += max(row.cents, 0)
        credits[row.account] -= min(row.cents, 0)
    yield from differs("accounts", sorted({row.account for row in exported.rows}), sorted(a["number"] for a in stated))
    for account in stated:
        number = account["number"]
        expected = (0, debits[number], credits[number], debits[number] - credits[number])
        names = ("opening_cents", "debit_cents", "credit_cents", "closing_cents")
        yield from differs(f"account {number}", expected, tuple(account[name] for name in names))


def _postings(exported: Exported) -> Iterator[str]:
    """The archive's postings balance, and are those of the ledger."""
    archived: Counter[tuple[object, ...]] = Counter()
    for posting in exported.postings:
        amounts = sorted(entry["cents"] for entry in posting["entries"])
        yield from differs(f"balance of {posting['key']}", 0, sum(amounts))
        archived[posting["day"], posting["document"] or "", *amounts] += 1
    written: Counter[tuple[object, ...]] = Counter()
    for rows in entries(exported.rows).values():
        written[rows[0].day, rows[0].document, *sorted(row.cents for row in rows)] += 1
    yield from differs("postings that the ledger has not", [], list((archived - written).elements()))
    yield from differs("entries that the archives have not", [], list((written - archived).elements()))
