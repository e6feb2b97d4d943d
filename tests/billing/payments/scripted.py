"""A provider behind the port that answers what a test has told it to, and remembers what it was asked."""

from __future__ import annotations

from collections import deque
from typing import Any

from app.billing.payments.port import Found, Heard, Means, Notice, Outcome


def answered(evidence: str | None, **found: Any) -> Heard:
    return Heard(Outcome.ANSWERED, Means.DONE, Found(evidence, **found), 200)


def came(ref: str = "pi_1", cents: int = 4840, fee: int = 98, **found: Any) -> Heard:
    return answered("settled", ref=ref, settled_cents=cents, fee_cents=fee, **found)


SILENCE = Heard(Outcome.NO_ANSWER, Means.UNHEARD)
BROKEN = Heard(Outcome.NO_ANSWER, Means.UNHEARD, status=500, code="api_error")
BUSY = Heard(Outcome.REFUSED, Means.LATER, status=429, code="rate_limit")
DECLINED = Heard(Outcome.REFUSED, Means.REFUSED, Found("failed", ref="pi_1"), 402, "insufficient_funds")


class Scripted:
    name = "stripe"

    def __init__(self, *answers: Heard) -> None:
        self.answers = deque(answers)
        self.asked: list[tuple[str, Any]] = []

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]

    def _answer(self, verb: str, subject: Any) -> Heard:
        self.asked.append((verb, subject))
        return self.answers.popleft()

    def __getattr__(self, verb: str) -> Any:
        if verb not in ("save", "start", "refund", "look_up", "stop", "transfer", "reverse"):
            raise AttributeError(verb)
        return lambda subject: self._answer(verb, subject)

    def read(self, body: bytes, signature: str) -> Notice:
        raise NotImplementedError
