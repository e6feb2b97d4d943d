"""What is kept of requests to a provider and of its answers: by a list of what may be, never of what may not. Pure.

Kept are ids, amounts, states, codes and instants. A field that is not listed, and a value that could be a secret, a
number of a card or of an account, or a text about a person, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FIELDS = frozenset({
    # what it is
    "id", "object", "type", "created", "livemode", "account", "api_version", "data", "has_more", "mode", "request_id",
    # how much
    "amount", "amount_received", "amount_refunded", "amount_total", "unit_amount", "currency", "quantity", "fee", "net",
    # how it stands
    "status", "payment_status", "code", "decline_code", "reason", "network_reason_code", "failure_code",
    "cancellation_reason", "canceled_at", "expires_at", "disputed", "refunded", "usage", "off_session", "confirm",
    "capture_method", "error", "last_payment_error", "last_setup_error", "next_action", "enabled",
    # what it belongs to
    "payment_intent", "payment_method", "payment_method_types", "latest_charge", "charge", "balance_transaction",
    "balance_transactions", "customer", "mandate", "refunds", "setup_intent", "source_transaction", "transfer",
    "transfer_group", "destination", "failure_balance_transaction", "latest_attempt", "bancontact",
    "generated_sepa_debit", "metadata", "payment", "operator", "refund", "method",
})  # fmt: skip
LONGEST = 255
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*")
_NUMBER = re.compile(r"\d{9,}|[A-Z]{2}\d{2}[A-Z0-9]{11,30}")  # of a card, of a bank account


def scrubbed(value: Any) -> Any:
    """`value`, as JSON has it, with what may be kept of it."""
    if isinstance(value, Mapping):
        kept = {str(name): scrubbed(each) for name, each in value.items() if name in FIELDS}
        return {name: each for name, each in kept.items() if each is not None}
    if isinstance(value, list | tuple):
        return [each for each in map(scrubbed, value) if each is not None]
    if isinstance(value, bool | int):
        return value
    return value if isinstance(value, str) and is_code(value) else None


def is_code(text: str) -> bool:
    """Whether a text is an id or a code, rather than a secret, a number of somebody's, or a sentence."""
    return (
        len(text) <= LONGEST
        and _CODE.fullmatch(text) is not None
        and _NUMBER.fullmatch(text) is None
        and "_secret_" not in text
        and not text.startswith(("sk_", "rk_", "whsec_", "http"))
    )
