"""Refusals as the interface words them: an HTTP status and an `error` object with type, code, param and company.

`began` says whether the endpoint had begun its work: only then is the answer kept for its idempotency key.
"""

from __future__ import annotations

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"

# decline code -> (error code, message)
DECLINES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "stolen_card": ("card_declined", "Your card was declined."),
    "fraudulent": ("card_declined", "Your card was declined."),
    "do_not_honor": ("card_declined", "Your card was declined."),
    "card_velocity_exceeded": (
        "card_declined",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}


class Refusal(Exception):
    """An answer that is an error: the status, the `error` object, more headers, and whether work had begun."""

    def __init__(self, status: int, error: dict[str, Any], *, began: bool, headers: dict[str, str] | None = None):
        super().__init__(error.get("message"))
        self.status, self.error, self.began, self.headers = status, error, began, headers or {}

    def body(self) -> dict[str, Any]:
        """What is sent: the error, with the address of its documentation where it has a code."""
        shown = {name: value for name, value in self.error.items() if value is not None}
        if "code" in shown:
            shown["doc_url"] = DOCS + shown["code"].replace("_", "-")
        return {"error": shown}


def invalid(message: str, *, param: str | None = None, code: str | None = None, **more: Any) -> Refusal:
    """400: the parameters themselves are wrong; nothing has begun."""
    error = {"type": "invalid_request_error", "message": message, "param": param, "code": code, **more}
    return Refusal(400, error, began=False)


def refused(message: str, *, param: str | None = None, code: str | None = None, **more: Any) -> Refusal:
    """400: the parameters are well formed, but the state of things does not allow it."""
    error = {"type": "invalid_request_error", "message": message, "param": param, "code": code, **more}
    return Refusal(400, error, began=True)


def missing(kind: str, key: str, *, param: str, in_path: bool) -> Refusal:
    """An object that is not there: 404 where the path names it, 400 where a parameter does."""
    error = {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "message": f"No such {kind}: '{key}'",
        "param": param,
    }
    return Refusal(404 if in_path else 400, error, began=True)


def declined(code: str, **more: Any) -> Refusal:
    """402: the issuer refused, or asks for the payer; `more` names the charge, intent and payment method."""
    name, message = DECLINES.get(code, ("card_declined", "Your card was declined."))
    error = {"type": "card_error", "code": name, "decline_code": code, "message": message, **more}
    return Refusal(402, error, began=True)


def unauthorized(key: str) -> Refusal:
    """401: no key, or another one than this server was started with."""
    shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if key else ""
    message = f"Invalid API Key provided: {shown}" if key else "You did not provide an API key."
    return Refusal(401, {"type": "invalid_request_error", "message": message}, began=False)


def no_access(account: str) -> Refusal:
    """403: `Stripe-Account` names an account that this key does not reach."""
    message = (
        f"The provided key does not have access to account '{account}' (or that account does not exist). "
        "Application access may have been revoked."
    )
    return Refusal(403, {"type": "invalid_request_error", "code": "account_invalid", "message": message}, began=False)


def rate_limited() -> Refusal:
    """429, given before anything else is looked at."""
    error = {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Request rate limit exceeded. Learn more about rate limits.",
    }
    return Refusal(429, error, began=False, headers={"Stripe-Rate-Limited-Reason": "global-rate"})


def locked() -> Refusal:
    """429 as well: another request works on the same object; the library tries again by itself."""
    error = {
        "type": "invalid_request_error",
        "code": "lock_timeout",
        "message": "This object cannot be accessed right now because another API request is currently accessing it.",
    }
    return Refusal(429, error, began=False, headers={"Stripe-Should-Retry": "true"})


def server_error(*, began: bool, status: int = 500) -> Refusal:
    """5xx: something went wrong on the provider's side."""
    message = "An unknown error occurred on the server."
    headers = {"Stripe-Should-Retry": "false"} if began else {}  # it would only be replayed
    return Refusal(status, {"type": "api_error", "message": message}, began=began, headers=headers)
