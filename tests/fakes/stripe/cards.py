"""Test tokens of payment methods, by the names that the documentation gives them, and how each behaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ALWAYS, UNLESS_SET_UP, ONCE_SET_UP = "always", "unless_set_up", "once_set_up"


@dataclass(frozen=True)
class Behaviour:
    """What a payment method does. Codes are decline codes, or failure codes for a debit.

    `decline`: refused when charged; `decline_setup`: refused when saved; `authenticate`: when the payer must;
    `after`: refused behind the authentication; `refund`: how refunds end; `dispute`: the reason of one that follows.
    """

    brand: str = "visa"
    last4: str = "4242"
    country: str = "US"
    decline: str | None = None
    decline_setup: str | None = None
    authenticate: str | None = None
    after: str | None = None
    refund: str | None = None
    dispute: str | None = None
    delay: float | None = None  # seconds of a debit, instead of the setting


def _declined(code: str, last4: str) -> Behaviour:
    return Behaviour(decline=code, decline_setup=code, last4=last4)


CARDS = {
    "visa": Behaviour(),
    "visa_debit": Behaviour(last4="5556"),
    "mastercard": Behaviour(brand="mastercard", last4="4444"),
    "amex": Behaviour(brand="amex", last4="8431"),
    "be": Behaviour(last4="0004", country="BE"),
    "fr": Behaviour(last4="0003", country="FR"),
    "bypassPending": Behaviour(last4="0077"),
    "visa_chargeDeclined": _declined("generic_decline", "0002"),
    "chargeDeclined": _declined("generic_decline", "0002"),
    "visa_chargeDeclinedInsufficientFunds": _declined("insufficient_funds", "9995"),
    "chargeDeclinedInsufficientFunds": _declined("insufficient_funds", "9995"),
    "visa_chargeDeclinedLostCard": _declined("lost_card", "9987"),
    "visa_chargeDeclinedStolenCard": _declined("stolen_card", "9979"),
    "chargeDeclinedExpiredCard": _declined("expired_card", "0069"),
    "chargeDeclinedIncorrectCvc": _declined("incorrect_cvc", "0127"),
    "chargeDeclinedProcessingError": _declined("processing_error", "0119"),
    "chargeDeclinedFraudulent": _declined("fraudulent", "0019"),
    "radarBlock": _declined("fraudulent", "0019"),
    "visa_chargeDeclinedVelocityLimitExceeded": _declined("card_velocity_exceeded", "6975"),
    "chargeCustomerFail": Behaviour(decline="generic_decline", last4="0341"),
    "authenticationRequired": Behaviour(authenticate=ALWAYS, last4="3184"),
    "authenticationRequiredOnSetup": Behaviour(authenticate=UNLESS_SET_UP, last4="3155"),
    "authenticationRequiredSetupForOffSession": Behaviour(authenticate=ONCE_SET_UP, last4="0446"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Behaviour(
        authenticate=ALWAYS, after="insufficient_funds", last4="3178"
    ),
    "threeDSecure2Required": Behaviour(authenticate=UNLESS_SET_UP, last4="3220"),
    "threeDSecureRequired": Behaviour(authenticate=UNLESS_SET_UP, last4="3063"),
    "threeDSecureRequiredChargeDeclined": Behaviour(authenticate=UNLESS_SET_UP, after="generic_decline", last4="8271"),
    "threeDSecureOptional": Behaviour(last4="3055"),
    "createDispute": Behaviour(dispute="fraudulent", last4="0259"),
    "createDisputeProductNotReceived": Behaviour(dispute="product_not_received", last4="2685"),
    "pendingRefund": Behaviour(refund="pending", last4="7726"),
    "refundFail": Behaviour(refund="fails", last4="5126"),
}
# The last four digits of the account number say how a debit behaves, as in the documented test numbers.
DEBITS = {
    "3201": Behaviour(last4="3201", country="AT"),
    "3202": Behaviour(last4="3202", country="AT", decline="debit_not_authorized"),
    "3203": Behaviour(last4="3203", country="AT", dispute="debit_not_authorized"),
    "3204": Behaviour(last4="3204", country="AT", delay=180.0),
    "3205": Behaviour(last4="3205", country="AT", decline="debit_not_authorized", delay=180.0),
    "3222": Behaviour(last4="3222", country="AT", decline="insufficient_funds"),
}
DEBIT_TOKENS = {
    "success": "3201",
    "failed": "3202",
    "disputed": "3203",
    "successDelayed": "3204",
    "failedDelayed": "3205",
    "insufficientFunds": "3222",
}
PREFIX, TOKEN = "pm_card_", "tok_"


def known(token: str) -> tuple[str, Behaviour] | None:
    """The kind of payment method and the behaviour that a token such as pm_card_visa stands for, or None.

    Cards: pm_card_NAME or tok_NAME; debits: pm_sepaDebit_NAME or pm_NAME_sepaDebit; pm_bancontact.
    """
    for prefix in (PREFIX, TOKEN):
        if token.startswith(prefix) and (card := CARDS.get(token.removeprefix(prefix))):
            return "card", card
    name = token.removeprefix("pm_sepaDebit_") if token.startswith("pm_sepaDebit_") else ""
    if token.endswith("_sepaDebit"):
        name = token.removeprefix("pm_").removesuffix("_sepaDebit")
    if name in DEBIT_TOKENS:
        return "sepa_debit", DEBITS[DEBIT_TOKENS[name]]
    return ("bancontact", Behaviour(country="BE")) if token == "pm_bancontact" else None


def facts(behaviour: Behaviour, **changes: Any) -> dict[str, Any]:
    """The behaviour as it is kept, with changes."""
    return {**asdict(behaviour), **changes}
