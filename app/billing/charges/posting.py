"""What charges and documents are in the ledger: pure, a posting for each thing that happens to them.

    earned, on no document:      Dr unbilled[party] gross / Cr revenue net, Cr vat_pending VAT
    earned, on a document:       Dr deferred net / Cr revenue net
    documented, earned before:   Dr receivable[party] / Cr unbilled[party] gross; Dr vat_pending VAT, Cr vat_due
    documented, not earned yet:  Dr receivable[party] / Cr deferred net, Cr vat_due; a deposit: Cr deposits_held

VAT is rounded on a document's totals, so its own cents and the sum of its charges' may differ: that is `rounding`.
Negative charges and credit notes post the same with the signs turned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple, Protocol
from uuid import UUID

from app.billing.ledger.posting import Entry, Posting

REVENUE = {
    "booking": "revenue_booking",
    "fee": "revenue_fee",
    "membership": "revenue_membership",
    "adjustment": "revenue_membership",
    "manual": "revenue_other",
    "late_interest": "late_interest",
    "recovery_fee": "recovery_fees",
}
DEPOSITS = frozenset({"deposit", "deposit_return"})  # held for the party: no supply, so never earned


class Amounts(Protocol):
    """What a document's posting needs of each of its charges; cents are signed, gross = net + VAT."""

    @property
    def kind(self) -> str: ...
    @property
    def net_cents(self) -> int: ...
    @property
    def vat_cents(self) -> int: ...
    @property
    def gross_cents(self) -> int: ...
    @property
    def earned(self) -> bool: ...


class Earned(NamedTuple):
    """A charge that is earned on `day`, a day that the books still take. Cents are signed."""

    uid: UUID
    operator_id: int
    party_id: int
    kind: str
    currency: str
    net_cents: int
    vat_cents: int
    gross_cents: int
    day: date


class Document(NamedTuple):
    """A finalised document: `gross_cents` and `vat_cents` are its own totals, negative where it is a credit note."""

    uid: UUID
    operator_id: int
    party_id: int
    number: str
    day: date
    currency: str
    gross_cents: int
    vat_cents: int


def earned_before_document(charge: Earned) -> Posting:
    """Income that the party will be invoiced for."""
    return _earned(
        charge,
        Entry("unbilled", charge.gross_cents, charge.party_id),
        Entry(REVENUE[charge.kind], -charge.net_cents),
        Entry("vat_pending", -charge.vat_cents),
    )


def earned_after_document(charge: Earned) -> Posting:
    """Income that a document asked for before it was earned."""
    return _earned(charge, Entry("deferred", charge.net_cents), Entry(REVENUE[charge.kind], -charge.net_cents))


def documented(document: Document, charges: Iterable[Amounts]) -> Posting:
    """The one posting of a document with these charges, each of them earned, not earned yet, or a deposit."""
    sums: dict[str, int] = defaultdict(int)
    for charge in charges:
        for account, cents in _documented(charge):
            sums[account] += cents
    sums["vat_due"] -= document.vat_cents
    off = document.gross_cents + sum(sums.values())
    entries = [Entry("receivable", document.gross_cents, document.party_id)]
    entries += [Entry(name, cents, document.party_id if name == "unbilled" else None) for name, cents in sums.items()]
    entries.append(Entry("rounding", -off))
    return Posting(
        operator_id=document.operator_id,
        day=document.day,
        currency=document.currency,
        kind="credit_note" if document.gross_cents < 0 else "invoice",
        key=f"document:{document.uid}",
        entries=tuple(sorted(entries, key=lambda entry: -entry.cents)),
        facts={"document_id": str(document.uid)},
        document=document.number,
    )


def _earned(charge: Earned, *entries: Entry) -> Posting:
    return Posting(
        operator_id=charge.operator_id,
        day=charge.day,
        currency=charge.currency,
        kind="earn",
        key=f"earn:{charge.uid}",
        entries=entries,
        facts={"charge_id": str(charge.uid), "kind": charge.kind},
    )


def _documented(charge: Amounts) -> tuple[tuple[str, int], ...]:
    """The accounts that a charge leaves when it comes on a document."""
    if charge.kind in DEPOSITS:
        return (("deposits_held", -charge.gross_cents),)
    if charge.earned:
        return ("unbilled", -charge.gross_cents), ("vat_pending", charge.vat_cents)
    return (("deferred", -charge.net_cents),)
