"""Checking a password from outside, the same for tokens and for pages: so many tries, then a pause."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.http import rate_limits
from app.network import accounts


def sign_in(session: Session, *, email: str, password: str) -> int:
    """The internal id of the member. Raises BadCredentials, TooManyRequests.

    Sign-ins are limited by client; wrong guesses by client, by account and by both, so that neither many accounts nor
    many addresses help a guesser. A right password never counts as a guess.
    """
    client, account = rate_limits.client_address(), accounts.normalised_email(email)
    guesses = (
        (rate_limits.GUESSES_AT_ACCOUNT, account),
        (rate_limits.GUESSES_OF_CLIENT, client),
        (rate_limits.GUESSES, client, account),
    )
    rate_limits.take(rate_limits.SIGN_INS, client)
    for guess in guesses:
        rate_limits.check(*guess)
    try:
        return accounts.authenticate(session, email=email, password=password)
    except accounts.BadCredentials:
        for guess in guesses:
            rate_limits.take(*guess)
        raise
