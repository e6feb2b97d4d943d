"""`POST /stripe/webhook`: what Stripe tells, kept and answered at once. No token: its signature is the proof."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.billing.payments import notices
from app.billing.payments.port import BadSignature
from app.db import retrying, transaction
from app.errors import NotFound, Problem
from app.http.services import Services, services
from app.tenancy import SYSTEM

blueprint = Blueprint("stripe", __name__)


class NotSigned(Problem):
    """Not from the provider, changed on its way, or more than five minutes old: nothing is kept of it."""

    code = "bad_signature"
    status = 400
    title = "The signature does not fit what was sent; the secret in STRIPE_WEBHOOK_SECRET may be another."


@blueprint.post("/stripe/webhook")
def hear_from_stripe() -> Response:
    """Keep a notice once under its own id; what follows from it is an event's doing."""
    if not services().config.stripe_api_key:
        raise NotFound()
    from app.billing import stripe_provider  # 30 MB: only for who has a provider

    provider = stripe_provider.of(services().config)
    assert provider is not None
    try:
        notice = provider.read(request.get_data(), request.headers.get("Stripe-Signature", ""))
    except BadSignature as error:
        raise NotSigned() from error
    own: Services = services()

    def keep() -> bool:
        with transaction(own.make_session, SYSTEM) as session:
            return notices.store(session, provider.name, notice, now=own.clock())

    retrying(keep)
    return Response(status=200)
