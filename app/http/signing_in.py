"""Checking a password from outside, the same for tokens and for pages: so many tries, then a pause."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.http import rate_limits
from app.network import accounts


def sign_in(session: Session, *, email: str, password: str) -> int:
    """The internal id of the member. Raises BadCredentials, TooManyRequests.

    Sign-ins are limited by client; wrong guesses by client and account, and a right password never counts as one.
    """
    client, account = rate_limits.client_address(), accounts.normalised_email(email)
    rate_limits.take(rate_limits.SIGN_INS, client)
    rate_limits.check(rate_limits.GUESSES, client, account)
    try:
        return accounts.authenticate(session, email=email, password=password)
    except accounts.BadCredentials:
        rate_limits.take(rate_limits.GUESSES, client, account)
        raise
