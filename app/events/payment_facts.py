"""Events about money that comes and goes: what was asked for, what came or failed, what went back."""

from __future__ import annotations

from dataclasses import dataclass

from app.events.catalogue import DomainEvent, event
from app.events.meanings import Meaning, cents, code, id_of

_SAYS = {
    "payment_id": id_of("a payment", "The payment."),
    "operator_id": id_of("an operator", "The legal entity that it is owed to."),
    "party_id": id_of("a party", "Who pays."),
}
_KIND = code(
    "How it is paid; any: the payer chooses at the provider's.",
    "card", "bancontact", "sepa_debit", "any", "transfer", "debit", "cash", "terminal",
)  # fmt: skip
_BOOKING = id_of("a booking", "The booking that is held until it settles; null for none.")


@event(
    "payment.requested",
    version=1,
    aggregate="payment",
    by="billing.payments.requesting",
    says={**_SAYS, "kind": _KIND, "booking_id": _BOOKING, "amount_cents": cents("What is asked for.", 4840)},
)
@dataclass(frozen=True, slots=True)
class PaymentRequested(DomainEvent):
    """A party was asked for money, or a means of theirs is to be charged."""

    payment_id: str
    operator_id: str
    party_id: str
    kind: str
    amount_cents: int
    currency: str
    booking_id: str | None = None


@event(
    "payment.settled",
    version=1,
    aggregate="payment",
    by="billing.payments.telling",
    says={
        **_SAYS,
        "kind": _KIND,
        "booking_id": _BOOKING,
        "amount_cents": cents("What came, which may differ from what was asked for.", 4840),
        "fee_cents": cents("What the provider kept of it.", 96),
    },
)
@dataclass(frozen=True, slots=True)
class PaymentSettled(DomainEvent):
    """The money is there."""

    payment_id: str
    operator_id: str
    party_id: str
    kind: str
    amount_cents: int
    fee_cents: int
    currency: str
    booking_id: str | None = None


@event(
    "payment.failed",
    version=1,
    aggregate="payment",
    by="billing.payments.settling",
    says={
        **_SAYS,
        "kind": _KIND,
        "booking_id": _BOOKING,
        "failure": Meaning("Why, in the provider's code.", unit="code of the provider", example="insufficient_funds"),
        "amount_cents": cents("What was asked for.", 4840),
    },
)
@dataclass(frozen=True, slots=True)
class PaymentFailed(DomainEvent):
    """It is certain that nothing was taken."""

    payment_id: str
    operator_id: str
    party_id: str
    kind: str
    amount_cents: int
    currency: str
    failure: str
    booking_id: str | None = None


@event(
    "payment.refunded",
    version=1,
    aggregate="payment",
    by="billing.payments.refunding",
    says={
        **_SAYS,
        "refund_id": id_of("a refund", "The refund."),
        "amount_cents": cents("What went back with this refund.", 4840),
    },
)
@dataclass(frozen=True, slots=True)
class PaymentRefunded(DomainEvent):
    """Money of a payment went back to where it came from."""

    payment_id: str
    operator_id: str
    party_id: str
    refund_id: str
    amount_cents: int
    currency: str


@event(
    "payment.disputed",
    version=1,
    aggregate="payment",
    by="billing.payments.disputes",
    says={
        **_SAYS,
        "dispute_id": id_of("a dispute", "The dispute."),
        "state": code("How it stands: the money is away while it is open, and for good when lost.",
                      "open", "won", "lost"),
        "amount_cents": cents("What is contested.", 4840),
    },
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class PaymentDisputed(DomainEvent):
    """A payer contests a payment with their bank, or that was decided."""

    payment_id: str
    operator_id: str
    party_id: str
    dispute_id: str
    state: str
    amount_cents: int
    currency: str


@event(
    "provider.notified",
    version=1,
    aggregate="provider_notice",
    by="billing.payments.notices",
    says={
        "notice_id": id_of("a notice", "What was stored."),
        "provider": code("Who told.", "stripe"),
        "topic": Meaning(
            "What it is about, in the provider's words.",
            unit="code of the provider",
            example="payment_intent.succeeded",
        ),
    },
)
@dataclass(frozen=True, slots=True)
class ProviderNotified(DomainEvent):
    """A provider told something about a payment: it is to be looked up there."""

    notice_id: str
    provider: str
    topic: str
