"""How the news that money is there is told, wherever it came from."""

from __future__ import annotations

from uuid import UUID

from app.events.payment_facts import PaymentSettled


def settled(
    *, payment: UUID, operator: UUID, party: UUID, kind: str, cents: int, currency: str, fee_cents: int = 0,
    booking: UUID | None = None,
) -> PaymentSettled:  # fmt: skip
    """The fact, by public ids; `cents` is what came, `fee_cents` what the provider kept of it."""
    return PaymentSettled(
        payment_id=str(payment),
        operator_id=str(operator),
        party_id=str(party),
        kind=kind,
        amount_cents=cents,
        fee_cents=fee_cents,
        currency=currency,
        booking_id=str(booking) if booking else None,
    )
