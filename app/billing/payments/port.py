"""What a payment provider can be asked, in our own words: five verbs, and what is heard. No type of a provider's
library comes through here.

    save       a means of payment, or how the payer can enter one
    start      a payment: with a saved means, or how the payer can pay
    refund     some of a payment
    look_up    anything begun: how it stands now
    read       a notice, once its signature is good

Beside them: `stop` what the payer left lying, and `transfer`, `reverse` where the money is another's (mode connected).
A verb never raises for what the provider, or nobody, answered: that is `Heard`. It is called with no transaction open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class Outcome(StrEnum):
    """What became of a call; as ProviderCall.outcome has it."""

    ANSWERED = "answered"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"


class Means(StrEnum):
    """What an outcome means for what was asked."""

    DONE = "done"  # `found` says how it stands
    REFUSED = "refused"  # for good: nothing was taken
    LATER = "later"  # nothing was done: too many calls, or our key is not admitted
    UNHEARD = "unheard"  # it may have had its effect all the same


@dataclass(frozen=True, slots=True)
class FoundRefund:
    """A refund as the provider has it; `evidence` as in states.py. `uid` is ours, where it was asked for by us."""

    ref: str
    evidence: str
    cents: int
    uid: UUID | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class FoundDispute:
    """A dispute as the provider has it: open, won or lost; with the fee it took, and what of it came back."""

    ref: str
    state: str
    cents: int
    fee_cents: int = 0
    fee_back_cents: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """How something stands at the provider. `evidence` is one of states.EVIDENCE, or None where it knows no such thing.

    `settled_cents` is what came, `fee_cents` what the provider kept of it. `secret` and `address` are for the payer
    alone, at this moment: never stored, never logged.
    """

    evidence: str | None
    ref: str | None = None
    settled_cents: int = 0
    fee_cents: int = 0
    failure: str | None = None
    charge: str | None = None
    refunds: tuple[FoundRefund, ...] = ()
    disputes: tuple[FoundDispute, ...] = ()
    secret: str | None = field(default=None, repr=False)
    address: str | None = field(default=None, repr=False)
    customer: str | None = None
    method: str | None = None
    mandate: str | None = None
    kind: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a call: `answer` is what is kept of it (scrubbing.py), `code` why it was refused."""

    outcome: Outcome
    means: Means
    found: Found | None = None
    status: int | None = None
    code: str | None = None
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Saving:
    """A means of payment to be saved. `ref` is what the provider calls what was begun, once that is known."""

    uid: UUID
    operator_uid: UUID
    kind: str
    mode: str
    return_url: str | None = None
    customer: str | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Charging:
    """A payment to be started or looked up; cents of `currency`. `label` is what its payer reads on the page.

    The same payment makes the same request, to the letter: the provider compares it with what it had under its key.
    What must be paid soon has `pay_by` (Unix time): its page closes then, and no means that takes days is offered.
    `refunded` says that we know of refunds, failed ones too: what the provider says of them is looked at.
    """

    uid: UUID
    operator_uid: UUID
    cents: int
    currency: str
    kind: str
    mode: str
    label: str = ""
    return_url: str | None = None
    customer: str | None = None
    method: str | None = None
    mandate: str | None = None
    ref: str | None = None
    pay_by: int | None = None
    refunded: bool = False


@dataclass(frozen=True, slots=True)
class GivingBack:
    """A refund of so many cents of the payment that the provider calls `payment_ref`."""

    uid: UUID
    payment_uid: UUID
    operator_uid: UUID
    payment_ref: str
    cents: int
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Passing:
    """Money of a payment on its way to an operator's own `account`, or back: `ref` is the transfer that is reversed.

    `uid` is the payment's on the way out, and on the way back that of what it comes back for: a refund or a dispute,
    as `because` says.
    """

    uid: UUID
    operator_uid: UUID
    cents: int
    currency: str
    payment_ref: str
    account: str
    ref: str | None = None
    because: str = "refund"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a provider told: which of its objects it is about, by every name that we may know it by."""

    notice_id: str
    type: str
    object_ref: str | None
    account: str | None
    names: tuple[str, ...]
    payment: UUID | None
    payload: Mapping[str, Any]


class BadSignature(Exception):
    """Not from the provider, changed on its way, or too old. It says nothing of what was sent."""


class Provider(Protocol):
    """A payment provider. The uid of what is asked is its idempotency key: asked again, it is answered again."""

    name: str

    def save(self, saving: Saving) -> Heard: ...
    def start(self, charging: Charging) -> Heard: ...
    def refund(self, giving: GivingBack) -> Heard: ...
    def look_up(self, subject: Saving | Charging | GivingBack) -> Heard: ...
    def stop(self, charging: Charging) -> Heard: ...
    def transfer(self, passing: Passing) -> Heard: ...
    def reverse(self, passing: Passing) -> Heard: ...
    def read(self, body: bytes, signature: str) -> Notice: ...
