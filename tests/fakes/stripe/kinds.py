"""Which kinds of payment method an intent accepts: all that fit, or a subset that the request asks for."""

from __future__ import annotations

from typing import Any

from tests.fakes.stripe.call import Call
from tests.fakes.stripe.errors import invalid

SPEC: dict[str, Any] = {
    "allowed_payment_method_types": "list",
    "automatic_payment_methods": {"enabled": "bool!", "allow_redirects": ("always", "never")},
    "excluded_payment_method_types": "list",
    "payment_method_types": "list",  # by older versions alone: versions.py
}
ALLOWED, AUTOMATIC, EXCLUDED, EXACT = SPEC
REDIRECTING = "bancontact"
ALONE = {ALLOWED: (EXACT, EXCLUDED, AUTOMATIC), EXACT: (AUTOMATIC, EXCLUDED)}


def chosen(call: Call, given: dict[str, Any], currency: str | None) -> dict[str, Any]:
    """The fields payment_method_types, automatic_payment_methods and those that say what was asked for.

    Raises a Refusal for parameters that exclude each other, or where nothing is left.
    """
    for name, others in ALONE.items():
        for other in others:
            if name in given and other in given:
                message = f"You may only specify one of these parameters: {name}, {other}."
                raise invalid(message, param=other, code="parameters_exclusive")
    asked, exact = given.get("allowed_payment_method_types"), given.get("payment_method_types")
    automatic = given.get("automatic_payment_methods")
    if automatic is None and asked is None and exact is None:
        automatic = {"enabled": True}
    automatic = {"allow_redirects": "always", **automatic} if automatic else None
    kinds = exact or _fitting(call, asked, given.get("excluded_payment_method_types") or [], automatic, currency)
    if not kinds:
        raise invalid("No valid payment method types for this request.", param="payment_method_types")
    return {
        "allowed_payment_method_types": asked,
        "automatic_payment_methods": automatic,
        "excluded_payment_method_types": given.get("excluded_payment_method_types"),
        "payment_method_types": list(kinds),
    }


def _fitting(
    call: Call, asked: list[str] | None, without: list[str], automatic: dict[str, Any] | None, currency: str | None
) -> list[str]:
    stays = automatic is not None and automatic["allow_redirects"] == "never"
    return [
        kind
        for kind in call.fake.settings.payment_methods
        if (asked is None or kind in asked) and kind not in without
        if kind == "card" or currency in (None, "eur")
        if not (stays and kind == REDIRECTING)
    ]
