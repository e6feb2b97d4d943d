"""What payments are in the ledger: pure, a posting for each thing that happens to them.

    settled:      Dr where the money is, gross − fee; Dr payment_fees fee / Cr receivable[party] gross
    refunded:     Dr receivable[party] / Cr where the money came to; given back by the provider after all: its opposite
    disputed:     Dr disputed, Dr payment_fees the provider's fee / Cr payments_in_transit
    ... won:      Dr payments_in_transit / Cr disputed, Cr payment_fees what of the fee came back
    ... lost:     Dr receivable[party] / Cr disputed: the party owes it again

What a payment pays is said by allocations, within the receivable of one party: those post nothing.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from uuid import UUID

from app.billing.ledger.posting import Entry, Posting

# Where the money of a payment is once it has settled, by its kind; all others are with the provider, on their way.
PLACES = {"transfer": "bank", "debit": "bank", "cash": "cash"}
ON_ITS_WAY = "payments_in_transit"


class Money(NamedTuple):
    """What every posting of a payment needs of it. `day` is one that the books still take; cents are positive."""

    uid: UUID
    operator_id: int
    party_id: int
    kind: str
    currency: str
    day: date


def settled(money: Money, *, gross_cents: int, fee_cents: int) -> Posting:
    """The money is there; the provider kept its fee."""
    return _posting(
        money, "payment", f"payment:{money.uid}",
        Entry(place_of(money.kind), gross_cents - fee_cents),
        Entry("payment_fees", fee_cents),
        Entry("receivable", -gross_cents, money.party_id),
    )  # fmt: skip


def refunded(money: Money, refund_uid: UUID, *, cents: int) -> Posting:
    """So much went back to where it came from; the provider keeps its fee."""
    return _posting(
        money, "refund", f"refund:{refund_uid}",
        Entry("receivable", cents, money.party_id),
        Entry(place_of(money.kind), -cents),
    )  # fmt: skip


def refund_returned(money: Money, refund_uid: UUID, *, cents: int) -> Posting:
    """A refund that had gone out came back: its account is closed, say."""
    return _posting(
        money, "refund", f"refund:{refund_uid}:returned",
        Entry(place_of(money.kind), cents),
        Entry("receivable", -cents, money.party_id),
    )  # fmt: skip


def disputed(money: Money, dispute_uid: UUID, *, cents: int, fee_cents: int) -> Posting:
    """The provider took the money back, and a fee for it, until it is decided."""
    return _posting(
        money, "dispute", f"dispute:{dispute_uid}:open",
        Entry("disputed", cents),
        Entry("payment_fees", fee_cents),
        Entry(ON_ITS_WAY, -cents - fee_cents),
    )  # fmt: skip


def dispute_won(money: Money, dispute_uid: UUID, *, cents: int, fee_back_cents: int = 0) -> Posting:
    """The money is back, and so much of the fee."""
    return _posting(
        money, "dispute", f"dispute:{dispute_uid}:won",
        Entry(ON_ITS_WAY, cents + fee_back_cents),
        Entry("payment_fees", -fee_back_cents),
        Entry("disputed", -cents),
    )  # fmt: skip


def dispute_lost(money: Money, dispute_uid: UUID, *, cents: int) -> Posting:
    """The money is gone for good: the party owes it again."""
    return _posting(
        money, "dispute", f"dispute:{dispute_uid}:lost",
        Entry("receivable", cents, money.party_id),
        Entry("disputed", -cents),
    )  # fmt: skip


def place_of(kind: str) -> str:
    """The account on which the money of a payment of this kind arrives."""
    return PLACES.get(kind, ON_ITS_WAY)


def _posting(money: Money, kind: str, key: str, *entries: Entry) -> Posting:
    return Posting(
        operator_id=money.operator_id,
        day=money.day,
        currency=money.currency,
        kind=kind,
        key=key,
        entries=entries,
        facts={"payment_id": str(money.uid), "kind": money.kind},
    )
