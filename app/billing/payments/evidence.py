"""What an answer of the provider, or its silence, is evidence of. Pure."""

from __future__ import annotations

from app.billing.payments import states
from app.billing.payments.port import Heard, Means

BEGINS = ("start", "refund", "save")  # verbs that may have had an effect, heard or not
NEVER_ARRIVED = "never_arrived"


def evidence_of(heard: Heard, *, verb: str, key_is_young: bool) -> tuple[str | None, str | None]:
    """Which of states.EVIDENCE it is, and why where it failed; None for nothing new.

    A call that begins something may have had its effect, heard or not; one that only looks has none. What the provider
    knows nothing of, when it could not be begun any more, has failed.
    """
    found = heard.found
    if heard.means is Means.DONE and found is not None:
        if found.evidence is None:
            return (None, None) if key_is_young else (states.FAILED, NEVER_ARRIVED)
        return found.evidence, found.failure or heard.code
    if heard.means is Means.REFUSED:
        return (states.FAILED, heard.code) if verb in BEGINS else (None, None)
    if heard.means is Means.UNHEARD and verb in BEGINS:
        return states.UNHEARD, None
    return None, None
