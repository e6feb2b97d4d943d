"""The fake's own books: double entries that are only ever added to, apart from the fields of its objects.

Each entry has lines that sum to nothing, per Stripe account and currency. Ledger accounts: "balance" (what the account
has with the provider), "payers", "fees", "dispute_fees", "connected" (transferred) and "bank" (paid out).
A charge never gives back more than it took: the books refuse such an entry by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Lines = list[tuple[str, int]]
COUNTED = ("charged", "fee", "refunded", "disputed", "dispute_fee", "transferred")


class BooksBroken(AssertionError):
    """The fake itself did something that must never happen."""


class Books:
    """The entries, and what they say about each charge."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.charges: dict[str, dict[str, Any]] = {}
        self.moved: dict[str, int] = {}  # charge -> cents transferred of it
        self.broken: list[str] = []

    def open_charge(self, charge: str, account: str, currency: str, **facts: Any) -> None:
        """A line for a charge that took money; `facts` are those to find it by (payment_intent, metadata, …)."""
        if charge in self.charges:
            self._break(f"{charge} took money twice")
        line = {"charge": charge, "account": account, "currency": currency, **facts}
        self.charges[charge] = {**line, **dict.fromkeys(COUNTED, 0), "transferred": self.moved.get(charge, 0)}

    def charged(self, charge: str, at: int, amount: int, fee: int) -> None:
        """A payer paid `amount` cents, of which the provider keeps `fee`."""
        self._on_charge(charge, "charge", at, [("payers", -amount), ("balance", amount - fee), ("fees", fee)])
        self._count(charge, charged=amount, fee=fee)

    def refunded(self, charge: str, refund: str, at: int, amount: int) -> None:
        """`amount` cents went back to the payer; raises BooksBroken for more than the charge has left."""
        self._must_have(charge, refund, amount)
        self._on_charge(charge, "refund", at, [("balance", -amount), ("payers", amount)], refund)
        self._count(charge, refunded=amount)

    def refund_failed(self, charge: str, refund: str, at: int, amount: int) -> None:
        """The bank sent a refund back."""
        self._on_charge(charge, "refund_failure", at, [("payers", -amount), ("balance", amount)], refund)
        self._count(charge, refunded=-amount)

    def disputed(self, charge: str, dispute: str, at: int, amount: int, fee: int) -> None:
        """The payer's bank took `amount` back, and the provider a fee; raises BooksBroken as a refund does."""
        self._must_have(charge, dispute, amount)
        lines = [("balance", -amount - fee), ("payers", amount), ("dispute_fees", fee)]
        self._on_charge(charge, "dispute", at, lines, dispute)
        self._count(charge, disputed=amount, dispute_fee=fee)

    def dispute_won(self, charge: str, dispute: str, at: int, amount: int) -> None:
        """The disputed amount came back; the fee did not."""
        self._on_charge(charge, "dispute_won", at, [("payers", -amount), ("balance", amount)], dispute)
        self._count(charge, disputed=-amount)

    def transferred(
        self, transfer: str, account: str, to: str, currency: str, at: int, amount: int, *, charge: str | None
    ) -> None:
        """`amount` cents moved to a connected account (negative: were taken back)."""
        self._add("transfer", account, currency, at, transfer, charge, [("balance", -amount), ("connected", amount)])
        self._add("transfer", to, currency, at, transfer, charge, [("connected", -amount), ("balance", amount)])
        if charge is not None:  # which may be a debit that has not come in yet
            self.moved[charge] = self.moved.get(charge, 0) + amount
            if charge in self.charges:
                self._count(charge, transferred=amount)

    def paid_out(self, payout: str, account: str, currency: str, at: int, amount: int) -> None:
        """`amount` cents went to the account's bank."""
        self._add("payout", account, currency, at, payout, None, [("balance", -amount), ("bank", amount)])

    def totals(self) -> dict[str, dict[str, dict[str, int]]]:
        """Stripe account -> currency -> ledger account -> cents."""
        result: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        for entry in self.entries:
            for ledger, amount in entry["lines"]:
                result[entry["account"]][entry["currency"]][ledger] += amount
        return {name: {unit: dict(sums) for unit, sums in units.items()} for name, units in result.items()}

    def _on_charge(self, charge: str, kind: str, at: int, lines: Lines, reference: str | None = None) -> None:
        line = self.charges[charge]
        self._add(kind, line["account"], line["currency"], at, reference or charge, charge, lines)

    def _add(
        self, kind: str, account: str, currency: str, at: int, reference: str, charge: str | None, lines: Lines
    ) -> None:
        if sum(amount for _, amount in lines) != 0:
            self._break(f"{kind} {reference} does not balance: {lines}")
        entry = {"kind": kind, "account": account, "currency": currency, "at": at}
        self.entries.append(
            {**entry, "reference": reference, "charge": charge, "lines": [list(line) for line in lines]}
        )

    def _must_have(self, charge: str, reference: str, amount: int) -> None:
        line = self.charges[charge]
        gone = line["refunded"] + line["disputed"]
        if gone + amount > line["charged"]:
            self._break(f"{reference} gives back {amount} of {charge}: {line['charged']} less {gone} is left")

    def _count(self, charge: str, **amounts: int) -> None:
        for name, amount in amounts.items():
            self.charges[charge][name] += amount

    def _break(self, what: str) -> None:
        self.broken.append(what)
        raise BooksBroken(what)
