"""What an electronic document says in words: terms of payment, and the notes that the law has it carry. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.billing.einvoices.semantic import Note
from app.vat.mentions import mention_text

TERMS = {
    "fr": "À payer pour le {day}",
    "nl": "Te betalen voor {day}",
    "en": "To be paid by {day}",
    "de": "Zahlbar bis {day}",
}
CREDITED = {
    "fr": "Rien à payer : ce montant est remboursé ou porté en compte",
    "nl": "Niets te betalen: dit bedrag wordt terugbetaald of verrekend",
    "en": "Nothing to pay: this amount is refunded or set off",
    "de": "Nichts zu zahlen: dieser Betrag wird erstattet oder verrechnet",
}

# Norm XP Z12-012: the subject that a French platform wants each of these under (UNTDID 4451), whoever the buyer is.
FRENCH_SUBJECTS = {"fr_recovery_40": "PMT", "fr_late_interest": "PMD", "fr_no_discount": "AAB"}


def payment_terms(*, is_credit_note: bool, due_on: str, locale: str) -> str:
    """BT-20."""
    return CREDITED[locale] if is_credit_note else TERMS[locale].format(day=due_on)


def notes(mentions: Sequence[Mapping[str, Any]], *, seller_country: str, locale: str) -> tuple[Note, ...]:
    """The mentions of a snapshot; of a French seller with their subjects, those that are fatal when absent included."""
    said = {mention["code"]: mention["text"] for mention in mentions}
    if seller_country != "FR":
        return tuple(Note(None, text) for text in said.values())
    wanted = {code: said.pop(code, None) or mention_text(code, locale) for code in FRENCH_SUBJECTS}
    return (
        *(Note(FRENCH_SUBJECTS[code], text) for code, text in wanted.items()),
        *(Note(None, text) for text in said.values()),
    )
