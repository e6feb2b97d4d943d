"""Paying an invoice from its page: begun by a button, gone on with at the provider's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.billing.payments import paying
from app.billing.payments.models import Payment
from app.billing.payments.presenting import ForPayer, for_payer
from app.errors import WrongState
from app.web.site import blueprint
from app.web.visits import Visit, page, visiting

PREPARING = ("requested", "unknown")
LOOK_AGAIN_S = 2


@blueprint.post("/invoices/<uuid:invoice_id>/payments")
def pay(invoice_id: UUID) -> AnyResponse:
    """Begin to pay what is left of an invoice, or go on with what was begun."""

    def ask(visit: Visit) -> UUID:
        back = url_for("pages.invoice", invoice_id=invoice_id, _external=True)
        wish = paying.Wish(kind="any", mode="hosted", invoice_ids=(invoice_id,), return_url=back)
        ready = bool(visit.services.config.stripe_api_key)
        begun = paying.ask_to_pay(visit.session, wish, provider_ready=ready, person=visit.member, now=visit.now)
        return begun.uid

    return redirect(url_for("pages.payment", payment_id=visiting(ask), invoice=invoice_id), 303)


@blueprint.get("/payments/<uuid:payment_id>")
def payment(payment_id: UUID) -> Response:
    """Where a payment stands, and the way to the provider's page once that is known: asked after the transaction."""

    def look(visit: Visit) -> tuple[Visit, Payment]:
        return visit, paying.own_payment(visit.session, visit.member, payment_id)

    visit, found = visiting(look)
    step = _next_step(visit, found)
    shown = page("payment.html", visit.person, payment=found, url=step.url, waits=not step.url and _waits(found))
    shown.headers["Cache-Control"] = "no-store"
    if not step.url and _waits(found):
        shown.headers["Refresh"] = str(LOOK_AGAIN_S)
    return shown


def _waits(found: Payment) -> bool:
    return found.state in PREPARING or (found.state == "action_needed" and found.mode == "hosted")


def _next_step(visit: Visit, found: Payment) -> ForPayer:
    """Nothing, until the provider has made its page, and after it was paid there."""
    own: Any = visit.services
    if found.state != "action_needed" or not own.config.stripe_api_key:
        return ForPayer()
    from app.billing import stripe_provider  # 30 MB: only for who has a provider

    provider = stripe_provider.of(own.config)
    assert provider is not None
    try:
        return for_payer(own.make_session, provider, Payment, found.id, now=visit.now)
    except WrongState:
        return ForPayer()
