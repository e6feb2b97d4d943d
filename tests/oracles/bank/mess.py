"""Entries as payers, banks and chance make them, each with what is true of it. The same seed makes the same mess.

A truth says what each transaction, by the servicer's reference, must pay to which number, to the cent; or that it must
pay nothing by itself. `may` are the only numbers that may be proposed for it where something was proposed; None: any.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain

from tests.oracles.bank.debts import Debt, Payer, account_of, creditor_reference
from tests.oracles.bank.writing import Entry, Transaction

FIRST_DAY = date(2026, 11, 2)
FEE, INTEREST = ("PMNT", "MCOP", "CHRG"), ("ACMT", "MCOP", "INTR")
DEBIT = ("PMNT", "ICDT", "ESCT")


@dataclass
class Truth:
    kind: str
    cents: int
    pays: dict[str, int] | None = None  # exactly this; None: nothing by itself
    credit: int = 0  # what is left over with the party
    posted: bool = False  # not a payment, but certain: a fee, interest, what goes back
    may: frozenset[str] | None = None


@dataclass
class Mess:
    entries: list[Entry] = field(default_factory=list)
    truths: dict[str, Truth] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)  # references whose payment went back


class Making:
    def __init__(self, seed: int, debts: list[Debt]) -> None:
        self.chance = random.Random(seed)
        self.left = list(debts)
        self.chance.shuffle(self.left)
        self.mess = Mess()
        self.count = 0
        self.day = FIRST_DAY
        self.by_payer: dict[Payer, list[Debt]] = {}
        for debt in self.left:
            self.by_payer.setdefault(debt.payer, []).append(debt)
        self.used: set[str] = set()

    def next_debt(self) -> Debt:
        while True:
            debt = self.left.pop()
            if debt.number not in self.used:
                self.used.add(debt.number)
                return debt

    def several(self, count: int) -> list[Debt]:
        """Debts of one payer."""
        for payer, debts in self.by_payer.items():
            free = [debt for debt in debts if debt.number not in self.used]
            if len(free) >= count:
                chosen = free[:count]
                self.used.update(debt.number for debt in chosen)
                self.by_payer[payer] = debts
                return chosen
        return [self.next_debt()]

    def reference(self) -> str:
        self.count += 1
        return f"SVC{self.count:09d}"

    def add(self, truth: Truth, transaction: Transaction, **entry: object) -> str:
        reference = transaction.servicer or ""
        self.mess.truths[reference] = truth
        self.mess.entries.append(Entry(self.day, (transaction,), **entry))  # type: ignore[arg-type]
        if self.count % 40 == 0:
            self.day += timedelta(days=1)
        return reference

    def paid(self, payer: Payer, cents: int, **said: object) -> Transaction:
        name = self.as_the_bank_writes(payer.name)
        return Transaction(cents, self.reference(), name=name, account=payer.account, **said)  # type: ignore[arg-type]

    def as_the_bank_writes(self, name: str) -> str:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        return self.chance.choice((name, plain.upper(), plain))


# --- the ways of paying


def structured(making: Making) -> None:
    debt = making.next_debt()
    making.add(Truth("structured", debt.cents, {debt.number: debt.cents}),
               making.paid(debt.payer, debt.cents, structured=debt.communication))  # fmt: skip


def in_text(making: Making) -> None:
    """The communication in free text, with the separators that were left of it."""
    debt = making.next_debt()
    t = debt.communication
    shapes = (
        f"+++{t[:3]}/{t[3:7]}/{t[7:]}+++", f"{t[:3]}/{t[3:7]}/{t[7:]}", t, f"{t[:3]} {t[3:7]} {t[7:]}",
        f"***{t[:3]}/{t[3:7]}/{t[7:]}***", f"{t[:3]}.{t[3:7]}.{t[7:]} merci", f"loyer {t[:3]}/{t[3:7]}/{t[7:]}",
    )  # fmt: skip
    making.add(Truth("in_text", debt.cents, {debt.number: debt.cents}),
               making.paid(debt.payer, debt.cents, free=(making.chance.choice(shapes),)))  # fmt: skip


def number(making: Making) -> None:
    debt = making.next_debt()
    head, year, digits = debt.number.split("-")
    shapes = (debt.number, f"facture {debt.number}", f"{head} {year} {digits}", f"{head.lower()}{year}-{digits}",
              f"Fact. {head}/{year}/{digits} bien reçue")  # fmt: skip
    making.add(Truth("number", debt.cents, {debt.number: debt.cents}),
               making.paid(debt.payer, debt.cents, free=(making.chance.choice(shapes),)))  # fmt: skip


def creditors(making: Making) -> None:
    debt = making.next_debt()
    said = creditor_reference(debt.number.replace("-", ""))
    grouped = " ".join(said[i : i + 4] for i in range(0, len(said), 4))
    shape = {"structured": said} if making.chance.random() < 0.5 else {"free": (f"ref {grouped}",)}
    making.add(Truth("creditor_reference", debt.cents, {debt.number: debt.cents}),
               making.paid(debt.payer, debt.cents, **shape))  # fmt: skip


def three_named(making: Making) -> None:
    chosen = making.several(making.chance.choice((2, 3)))
    words = [making.chance.choice((debt.number, debt.communication)) for debt in chosen]
    total = sum(debt.cents for debt in chosen)
    making.add(Truth("several_named", total, {debt.number: debt.cents for debt in chosen}),
               making.paid(chosen[0].payer, total, free=(" + ".join(words),)))  # fmt: skip


def two_parts(making: Making) -> None:
    debt = making.next_debt()
    first = making.chance.randint(1, debt.cents - 1)
    for part in (first, debt.cents - first):
        making.add(Truth("part", part, {debt.number: part}),
                   making.paid(debt.payer, part, structured=debt.communication))  # fmt: skip


def too_much(making: Making) -> None:
    debt = making.next_debt()
    more = making.chance.randint(1, 5000)
    making.add(Truth("more", debt.cents + more, {debt.number: debt.cents}, credit=more),
               making.paid(debt.payer, debt.cents + more, structured=debt.communication))  # fmt: skip


def twice(making: Making) -> None:
    debt = making.next_debt()
    for pays, credit in (({debt.number: debt.cents}, 0), ({}, debt.cents)):
        making.add(Truth("twice", debt.cents, pays, credit=credit),
                   making.paid(debt.payer, debt.cents, structured=debt.communication))  # fmt: skip


def goes_back(making: Making) -> None:
    """Paid, and reversed a day later by the same end-to-end identification."""
    debt = making.next_debt()
    end = f"E2E{making.count:08d}"
    reference = making.add(Truth("undone", debt.cents, {}), making.paid(
        debt.payer, debt.cents, structured=debt.communication, end_to_end=end))  # fmt: skip
    making.mess.undone.add(reference)
    back = Transaction(-debt.cents, making.reference(), end_to_end=end, returned="AC04", name=debt.payer.name)
    making.add(Truth("goes_back", -debt.cents, posted=True), back, reversal=True)


def batch(making: Making) -> None:
    """Several transactions in one entry."""
    chosen = [making.next_debt() for _ in range(making.chance.randint(2, 5))]
    transactions = [making.paid(debt.payer, debt.cents, structured=debt.communication) for debt in chosen]
    for debt, each in zip(chosen, transactions, strict=True):
        making.mess.truths[str(each.servicer)] = Truth("batch", debt.cents, {debt.number: debt.cents})
    making.mess.entries.append(Entry(making.day, tuple(transactions)))


# --- what nobody can know for certain


def silent(making: Making) -> None:
    """No communication: only who, and how much."""
    debt = making.next_debt()
    words = making.chance.choice(((), ("paiement",), ("facture novembre",)))
    theirs = frozenset(each.number for each in making.by_payer[debt.payer])
    making.add(Truth("silent", debt.cents, may=theirs), making.paid(debt.payer, debt.cents, free=words))


def three_silent(making: Making) -> None:
    chosen = making.several(3)
    total = sum(debt.cents for debt in chosen)
    theirs = frozenset(each.number for each in making.by_payer[chosen[0].payer])
    making.add(Truth("several_silent", total, may=theirs), making.paid(chosen[0].payer, total, free=("3 factures",)))


def mistyped(making: Making) -> None:
    debt = making.next_debt()
    place = making.chance.randrange(12)
    other = making.chance.choice([d for d in "0123456789" if d != debt.communication[place]])
    wrong = debt.communication[:place] + other + debt.communication[place + 1 :]
    making.add(Truth("mistyped", debt.cents), making.paid(debt.payer, debt.cents, free=(wrong,)))


def digit_too_many(making: Making) -> None:
    debt = making.next_debt()
    place = making.chance.randrange(1, 12)
    wrong = debt.communication[:place] + making.chance.choice("123456789") + debt.communication[place:]
    making.add(Truth("digit_too_many", debt.cents), making.paid(debt.payer, debt.cents, free=(wrong,)))


def number_of_another_amount(making: Making) -> None:
    """A document's number alone has no check digits: with another amount it is no proof."""
    debt = making.next_debt()
    making.add(Truth("number_other_amount", debt.cents + 1),
               making.paid(debt.payer, debt.cents + 1, free=(f"facture {debt.number}",)))  # fmt: skip


def unknown(making: Making) -> None:
    who = Payer(f"Inconnu {making.count}", account_of(5_000_000 + making.count))
    making.add(Truth("unknown", 0), making.paid(who, making.chance.randint(100, 99_999), free=("don",)))


def supplier(making: Making) -> None:
    who = Payer(f"Fournisseur {making.count}", account_of(6_000_000 + making.count))
    making.add(Truth("supplier", 0), making.paid(who, -making.chance.randint(100, 99_999), free=("loyer",)),
               domain=DEBIT)  # fmt: skip


# --- the bank's own


def fee(making: Making) -> None:
    cents = making.chance.randint(10, 2500)
    making.add(Truth("fee", -cents, posted=True), Transaction(-cents, making.reference()), domain=FEE,
               additional="Frais de gestion")  # fmt: skip


def interest(making: Making) -> None:
    cents = making.chance.randint(1, 900)
    making.add(Truth("interest", cents, posted=True), Transaction(cents, making.reference()), domain=INTEREST)


WAYS: tuple[tuple[Callable[[Making], None], int], ...] = (
    (structured, 420), (in_text, 130), (number, 80), (creditors, 30), (three_named, 30), (two_parts, 25),
    (too_much, 10), (twice, 8), (goes_back, 10), (batch, 15), (silent, 70), (three_silent, 12), (mistyped, 35),
    (digit_too_many, 10), (number_of_another_amount, 12), (unknown, 30), (supplier, 20), (fee, 20), (interest, 3),
)  # fmt: skip


def mess(seed: int, debts: list[Debt], *, entries: int) -> Mess:
    """At least so many transactions, and no fewer of each way than one; a few entries are pending, or in dollars."""
    making = Making(seed, debts)
    ways, weights = [way for way, _ in WAYS], [weight for _, weight in WAYS]
    for way in chain(ways, _chosen(making, ways, weights)):
        if making.count >= entries or len(making.left) < 10:
            break
        way(making)
    for status, currency in (("PDNG", "EUR"), ("BOOK", "USD")):
        aside = Transaction(12345, making.reference())
        making.mess.entries.append(Entry(making.day, (aside,), status=status, currency=currency))
    return making.mess


def _chosen(
    making: Making, ways: list[Callable[[Making], None]], weights: list[int]
) -> Iterator[Callable[[Making], None]]:
    while True:
        yield from making.chance.choices(ways, weights, k=64)
