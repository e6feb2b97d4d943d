"""Journals and kinds of postings, as accountants read them: rows with a label per language."""

from __future__ import annotations

from typing import NamedTuple


class Labels(NamedTuple):
    fr: str
    nl: str
    en: str
    de: str

    def said(self, locale: str) -> str:
        return {"nl": self.nl, "en": self.en, "de": self.de}.get(locale, self.fr)


class Journal(NamedTuple):
    code: str
    labels: Labels


SALES = Journal("VE", Labels("Ventes", "Verkopen", "Sales", "Verkäufe"))
GENERAL = Journal("OD", Labels("Opérations diverses", "Diverse verrichtingen", "General", "Diverse Buchungen"))
BANK = Journal("BQ", Labels("Banque", "Bank", "Bank", "Bank"))
OPENING = Journal("AN", Labels("À nouveaux", "Beginbalans", "Opening", "Eröffnung"))

KINDS: dict[str, tuple[Journal, Labels]] = {
    "earn": (GENERAL, Labels("Prestation rendue", "Geleverde prestatie", "Service rendered", "Erbrachte Leistung")),
    "invoice": (SALES, Labels("Facture", "Factuur", "Invoice", "Rechnung")),
    "credit_note": (SALES, Labels("Avoir", "Creditnota", "Credit note", "Gutschrift")),
    "payment": (BANK, Labels("Paiement", "Betaling", "Payment", "Zahlung")),
    "refund": (BANK, Labels("Remboursement", "Terugbetaling", "Refund", "Erstattung")),
    "drawer": (BANK, Labels("Caisse", "Kas", "Cash drawer", "Kasse")),
    "bank": (BANK, Labels("Mouvement bancaire", "Bankverrichting", "Bank movement", "Bankbewegung")),
    "opening": (OPENING, Labels("Solde reporté", "Overgedragen saldo", "Balance brought forward", "Saldovortrag")),
}


def journal_of(kind: str) -> Journal:
    return KINDS[kind][0] if kind in KINDS else GENERAL


def kind_label(kind: str, locale: str) -> str:
    """A kind without a row is called by its own name."""
    return KINDS[kind][1].said(locale) if kind in KINDS else kind
