"""Stripe-Version: a date, with a name behind a dot since late 2024."""

from __future__ import annotations

import re

from tests.fakes.stripe.errors import invalid

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


def dated(given: str | None, usual: str) -> str:
    """The version that a request asks for, or the usual one; raises a Refusal where it is no version."""
    if given is None:
        return usual
    if not _FORM.fullmatch(given):
        raise invalid(f"Invalid Stripe API version: {given}")
    return given
