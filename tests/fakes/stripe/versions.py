"""Stripe-Version: a date, with a name behind a dot since late 2024, and what the versions changed that matters here."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.stripe.errors import Refusal, invalid

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
DAHLIA = "2026-03-25"  # Checkout: ui_mode hosted became hosted_page
ALLOWED_TYPES = "2026-07-29"  # allowed_payment_method_types came
ENDIVE = "2026-09-30"  # payment_method_types may be written no more


def dated(given: str | None, usual: str) -> str:
    """The version that a request asks for, or the usual one; raises a Refusal where it is no version."""
    if given is None:
        return usual
    if not _FORM.fullmatch(given):
        raise invalid(f"Invalid Stripe API version: {given}")
    return given


def check(method: str, path: str, params: dict[str, Any], version: str) -> None:
    """Raise a Refusal for a parameter that the version does not have (any more, or yet)."""
    if method != "POST":
        return
    if "payment_method_types" in params and version >= ENDIVE:
        if path.startswith("/v1/checkout/"):
            raise _unknown("payment_method_types")
        message = "The `payment_method_types` parameter is no longer supported in this API version."
        raise invalid(message, param="payment_method_types", code="payment_method_types_no_longer_supported")
    if "allowed_payment_method_types" in params and version < ALLOWED_TYPES:
        raise _unknown("allowed_payment_method_types")
    if (mode := params.get("ui_mode")) and mode != ("hosted_page" if version >= DAHLIA else "hosted"):
        raise invalid(f"Invalid ui_mode: {mode} is not known here or in this API version.", param="ui_mode")


def _unknown(name: str) -> Refusal:
    return invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
