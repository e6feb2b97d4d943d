"""Which amounts are allowed, and how a message writes them."""

from __future__ import annotations

from tests.fakes.stripe.errors import invalid

LEAST = {"eur": 50, "usd": 50, "gbp": 30, "chf": 50}
MOST = 99_999_999
SIGNS = {"eur": "€", "usd": "$", "gbp": "£"}


def written(amount: int, currency: str) -> str:
    """5000 cents as €50.00."""
    return f"{SIGNS.get(currency, '')}{amount / 100:,.2f}"


def check(amount: int, currency: str) -> None:
    """Raise a Refusal for a currency that is none of these, or an amount that cannot be charged in it."""
    if currency not in LEAST:
        raise invalid(f"Invalid currency: {currency}. It must be one of {', '.join(LEAST)}", param="currency")
    positive(amount)
    if amount < LEAST[currency]:
        text = f"Amount must be at least {written(LEAST[currency], currency)} {currency}"
        raise invalid(text, param="amount", code="amount_too_small")
    if amount > MOST:
        text = f"Amount must be no more than {written(MOST, currency)}"
        raise invalid(text, param="amount", code="amount_too_large")


def positive(amount: int, param: str = "amount") -> None:
    """Raise a Refusal for nothing, or less."""
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", param=param, code="parameter_invalid_integer")
