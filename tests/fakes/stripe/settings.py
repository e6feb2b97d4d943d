"""What a test may set: delays in seconds of the fake's clock, and how webhooks are sent."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

API_VERSION = "2026-10-28.endive"
SEARCH_DELAY = 60.0


@dataclass
class Settings:
    """How the stand-in behaves; every field can be set by POST /_control/settings."""

    api_version: str = API_VERSION  # of events, and of requests that name none
    sepa_delay: float = 1.0  # from processing to succeeded or failed
    refund_delay: float = 1.0  # from pending to succeeded or failed
    balance_transaction_delay: float = 0.0  # 0: with the charge; more: null at first, then charge.updated
    search_delay: float = SEARCH_DELAY  # until search finds what is new
    available_after: float = 0.0  # until money is available in the balance
    payer_page: str = "https://hooks.example.test"  # where payers are sent; no such server is needed
    latency: float = 0.0  # real seconds that every request takes before it is executed
    webhook_backoff: float = 0.2  # real seconds before the first retry, doubled each time
    webhook_attempts: int = 8
    webhook_timeout: float = 10.0  # real seconds
    payment_methods: list[str] = field(default_factory=lambda: ["card", "bancontact", "sepa_debit"])

    def change(self, given: dict[str, Any]) -> None:
        """Set fields by name; raises ValueError for a name that is none, and sets nothing then."""
        unknown = set(given) - {entry.name for entry in fields(self)}
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        for name, value in given.items():
            setattr(self, name, value)
