"""The port to whoever delivers electronic invoices: a Peppol access point, a French approved platform.

Two verbs: hand over, and ask what was answered. What is behind it may stand still, lose its line or die at any moment:
it is handed the same parcel again, by the same key, and must deliver it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID


class Parcel(NamedTuple):
    """One round of one electronic invoice. `key` names it for ever: given twice, it goes once."""

    key: str
    operator_uid: UUID
    route: str
    name: str
    octets: bytes


class Answer(NamedTuple):
    """What was answered about a document: named by the electronic invoice's id, or by its number. `key` names the
    answer: heard twice, it counts once. `code` is as it came (answers.py); `at` is null where it did not say."""

    key: str
    operator_uid: UUID
    einvoice_uid: UUID | None
    number: str | None
    code: str
    at_message_level: bool
    reason: str
    at: datetime | None


class Carrier(Protocol):
    def hand_over(self, parcel: Parcel) -> str:
        """Deliver it once, however often it is called with this key; returns the carrier's reference. Raises OSError
        when it cannot be known whether it was taken: it is then called again."""
        ...

    def ask(self, *, most: int) -> Sequence[Answer]:
        """Answers that were not yet said to be heard."""
        ...

    def heard(self, answer: Answer, *, used: bool) -> None:
        """The answer is stored, or nobody knows what it is about: it is not told again."""
        ...
