"""All families of objects, brought together: their endpoints enter the table, and what they do when it is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.fakes.stripe import (
    accounts,
    attempts,
    balances,
    charges,
    checkout,
    customers,
    disputes,
    events,
    intents,
    mandates,
    methods,
    payouts,
    refunds,
    setups,
    transfers,
)
from tests.fakes.stripe.call import Call
from tests.fakes.stripe.events import PLATFORM

if TYPE_CHECKING:
    from tests.fakes.stripe.fake import Fake

# Imported for their endpoints:
ALL = (accounts, balances, customers, disputes, events, intents, mandates, methods, payouts, setups, transfers)


def settle(call: Call, intent: str, charge: str, outcome: str) -> None:
    """A debit comes in or comes back, and its checkout session learns of it."""
    attempts.settle(call, intent, charge, outcome)
    checkout.settled(call, call.get("payment_intent", intent))


# name on the schedule -> what is done
ACTIONS: dict[str, Callable[..., Any]] = {
    "settle": settle,
    "settle_refund": refunds.settle,
    "balance_transaction": charges.late_transaction,
    "expire_session": checkout.expire_if_open,
}


def found(fake: Fake) -> None:
    """The platform's own account, which is there from the start."""
    account = accounts.connect(fake.call(PLATFORM), type="standard", country="BE", email=None, metadata={})
    fake.store.facts(PLATFORM)["id"] = account["id"]
