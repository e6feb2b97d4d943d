"""Paying for a booking over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint

from app.billing.payments import listing
from app.billing.payments.schemas import PaymentShape, describe
from app.billing.prepaid import schemas
from app.billing.prepaid.paying import pay_for_booking
from app.http.operation import Call, Reply, operation

blueprint = Blueprint("prepaid", __name__)


@operation(
    blueprint, "POST", "/bookings/<booking_id>/payments", body=schemas.PayForBooking, returns=PaymentShape, status=201,
    idempotent=True, problems=(409,), located=True,
)  # fmt: skip
def pay_booking(call: Call, booking_id: UUID, body: dict[str, Any]) -> Reply:
    """Pay for a booking of yours that is held until it is paid; then ask for the payment's `next-step`. Once it has
    settled the booking is confirmed. A payment that comes too late goes back by itself. 404 also in the first instant
    after booking: ask again."""
    payment = pay_for_booking(
        call.session, booking_id, **body, provider_ready=bool(call.services.config.stripe_api_key),
        person=call.person, now=call.now,
    )  # fmt: skip
    shown = listing.shown(call.session, [payment])[0]
    return Reply(describe(shown), location=f"/api/v1/payments/{payment.uid}")
