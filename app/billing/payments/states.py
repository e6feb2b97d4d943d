"""The states of a payment and of a refund: which evidence leads from which to which, and when to look again. Pure.

Evidence is what the provider said of its own object, or that nothing was heard of a call that may have had its effect.
What is settled stays settled: refunds and disputes are rows of their own. What failed stays failed, unless the provider
says that the money came all the same: evidence is above what we concluded before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SETTLED, FAILED, PROCESSING, ACTION, UNHEARD = EVIDENCE = ("settled", "failed", "processing", "action", "unheard")

PAYMENTS = {
    "requested": {SETTLED: "settled", FAILED: "failed", PROCESSING: "requested", ACTION: "action_needed",
                  UNHEARD: "unknown"},
    "action_needed": {SETTLED: "settled", FAILED: "failed", PROCESSING: "requested", ACTION: "action_needed",
                      UNHEARD: "action_needed"},
    "unknown": {SETTLED: "settled", FAILED: "failed", PROCESSING: "requested", ACTION: "action_needed",
                UNHEARD: "unknown"},
    "settled": dict.fromkeys(EVIDENCE, "settled"),
    "failed": {SETTLED: "settled", FAILED: "failed", PROCESSING: "failed", ACTION: "failed", UNHEARD: "failed"},
}  # fmt: skip
# A refund that went out may come back: the payer's account is closed, say.
REFUNDS = {
    "requested": {SETTLED: "settled", FAILED: "failed", PROCESSING: "requested", ACTION: "requested",
                  UNHEARD: "unknown"},
    "unknown": {SETTLED: "settled", FAILED: "failed", PROCESSING: "requested", ACTION: "requested",
                UNHEARD: "unknown"},
    "settled": {SETTLED: "settled", FAILED: "failed", PROCESSING: "settled", ACTION: "settled", UNHEARD: "settled"},
    "failed": dict.fromkeys(EVIDENCE, "failed"),
}  # fmt: skip

_S, _M, _H, _D = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
# The last pause of each is repeated without end, but for SETTLED_LOOKS.
UNHEARD_LOOKS = (5 * _S, 30 * _S, 2 * _M, 10 * _M, _H)
PROCESSING_LOOKS = (_M, 10 * _M, _H, 6 * _H)  # a debit takes days, and its end is told
ACTION_LOOKS = (30 * _S, 2 * _M, 10 * _M, _H)
SETTLED_LOOKS = (_D, 7 * _D, 30 * _D, 60 * _D)  # a dispute that nobody told us of; payers may contest for months

KEY_LASTS = 23 * _H  # the provider forgets an idempotency key after 24
PAYER_HAS = 24 * _H  # to do what is needed, before what was begun is stopped
# The same where a booking is held meanwhile, for half an hour. The provider's page stays open for at least 30 minutes
# from when it is asked for, and that may take a few attempts.
HELD_FOR_PAYER = 35 * _M
UNKNOWN_TOO_LONG = 24 * _H  # then a person is to look as well


def next_look(state: str, *, looks: int, processing: bool, now: datetime) -> datetime | None:
    """When to look again at something in `state` that has been looked at `looks` times in it; None for never."""
    if state == "settled":
        return now + SETTLED_LOOKS[looks] if looks < len(SETTLED_LOOKS) else None
    if state == "failed":
        return None
    pauses = ACTION_LOOKS if state == "action_needed" else PROCESSING_LOOKS if processing else UNHEARD_LOOKS
    return now + pauses[min(looks, len(pauses) - 1)]
