"""Shapes of paying for a booking on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from app.billing.payments.schemas import return_url
from app.http.schemas import Strict


class PayForBooking(Strict):
    """Mode `present` gives a client secret for the provider's script, `hosted` the address of the provider's page.

    A direct debit takes days: it cannot be there before the booking is no longer held.
    """

    kind = fields.String(load_default="any", validate=validate.OneOf(["card", "bancontact", "any"]))
    mode = fields.String(required=True, validate=validate.OneOf(["present", "hosted"]))
    return_url = return_url()
