"""What may go wrong with a request, by a seeded script."""

from __future__ import annotations

from tests.fakes.stripe.chance import Script

# Before the key is looked at and before any effect:
LOST_BEFORE, TIMEOUT_BEFORE, RATE_LIMIT, UNAVAILABLE = "lost_before", "timeout_before", "rate_limit", "unavailable"
LOCKED = "lock_timeout"
# The effect, or the saved error, is there; the key keeps the answer:
LOST_AFTER, TIMEOUT_AFTER = "lost_after", "timeout_after"
ERROR_AFTER, ERROR_WITHOUT_EFFECT = "error_after_effect", "error_without_effect"
# The work itself:
SLOW, DECLINE = "slow", "decline"

KINDS = (
    LOST_BEFORE,
    LOST_AFTER,
    TIMEOUT_BEFORE,
    TIMEOUT_AFTER,
    RATE_LIMIT,
    UNAVAILABLE,
    LOCKED,
    ERROR_AFTER,
    ERROR_WITHOUT_EFFECT,
    SLOW,
    DECLINE,
)
HOLDS = 30.0  # real seconds that a connection is held, unless the rule says `seconds`


def script(seed: int) -> Script:
    """No faults yet. Rules match `method` and `path` (with stars), and may say `seconds` and `code` (of a decline)."""
    return Script(seed, ("method", "path"), KINDS, ("seconds", "code"))
