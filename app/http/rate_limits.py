"""Who knocks too often waits: guesses at a password, attempts and sign-ups per address.

Counted in the memory of each web process over a moving window: n processes allow at most n times as much, which still
leaves a guesser nothing. What was found out counts, not what was asked: a right password is no guess.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from flask import Flask, Response, after_this_request, current_app, request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import Problem


class TooManyRequests(Problem):
    """`retry_after` is in seconds."""

    code = "too_many_requests"
    status = 429
    title = "Too many attempts; wait a little."


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `item.amount` in `item`'s window per key."""

    name: str
    item: RateLimitItem


GUESSES = Policy("guesses", RateLimitItemPerMinute(10, 5))  # wrong passwords per client and account
GUESSES_OF_CLIENT = Policy("guesses-of-client", RateLimitItemPerMinute(30, 5))  # wrong passwords, at any account
GUESSES_AT_ACCOUNT = Policy("guesses-at-account", RateLimitItemPerHour(50))  # wrong passwords, from any client
SIGN_INS = Policy("sign-ins", RateLimitItemPerMinute(120))  # attempts per client: each costs 25 ms of argon2
SIGN_UPS = Policy("sign-ups", RateLimitItemPerMinute(20))  # new accounts per client
LINK_GUESSES = Policy("link-guesses", RateLimitItemPerMinute(30, 5))  # addresses that are none of ours, per client
SWITCHES = Policy("switches", RateLimitItemPerMinute(20))  # mails stopped and wanted again, per address
WEBHOOK_TRIES = Policy("webhook-tries", RateLimitItemPerMinute(30))  # tests and redeliveries by hand, per webhook

EXTENSION = "passerelle.rate_limits"


def client_address() -> str:
    """Whoever our nearest proxy saw; only the loopback address is bound, so a remote peer is always behind one."""
    if request.remote_addr in ("127.0.0.1", "::1") and (hops := request.headers.get("X-Forwarded-For")):
        return hops.rpartition(",")[2].strip()[:64]
    return request.remote_addr or "unknown"


def take(policy: Policy, *keys: str) -> None:
    """Use up one of what `policy` allows the key. Raises TooManyRequests."""
    allowed = _limiter().hit(policy.item, policy.name, *keys)
    _tell(policy, keys)
    if not allowed:
        raise _refusal(policy, keys)


def check(policy: Policy, *keys: str) -> None:
    """Raises TooManyRequests when nothing is left of it, without using any up."""
    if not _limiter().test(policy.item, policy.name, *keys):
        _tell(policy, keys)
        raise _refusal(policy, keys)


def _refusal(policy: Policy, keys: tuple[str, ...]) -> TooManyRequests:
    return TooManyRequests(policy=policy.name, retry_after=_state(policy, keys)[1])


def _state(policy: Policy, keys: tuple[str, ...]) -> tuple[int, int]:
    """What is left, and in how many seconds some comes back."""
    stats = _limiter().get_window_stats(policy.item, policy.name, *keys)
    return stats.remaining, max(1, math.ceil(stats.reset_time - time.time()))


def _tell(policy: Policy, keys: tuple[str, ...]) -> None:
    """The `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-10 on this answer."""
    remaining, seconds = _state(policy, keys)

    @after_this_request
    def add_headers(response: Response) -> Response:
        response.headers["RateLimit"] = f'"{policy.name}";r={remaining};t={seconds}'
        response.headers["RateLimit-Policy"] = f'"{policy.name}";q={policy.item.amount};w={policy.item.get_expiry()}'
        if response.status_code == 429:
            response.headers["Retry-After"] = str(seconds)
        return response


def _limiter() -> MovingWindowRateLimiter:
    return _of(current_app)


def _of(app: Flask) -> MovingWindowRateLimiter:
    """One per application, made at its first use: after the fork."""
    limiter = app.extensions.get(EXTENSION)
    if limiter is None:
        limiter = app.extensions.setdefault(EXTENSION, MovingWindowRateLimiter(MemoryStorage()))
    return limiter
