"""The accounts as rows: their numbers in the Belgian and in the French plan, their kind, their labels.

Sources: the Belgian minimum plan (PCMN, royal decree of 21 October 2018, annex 4) and the French general plan (PCG,
ANC regulation 2014-03). Beyond the digits that the plans fix, subdivisions are free; here all have six digits.
"""

from __future__ import annotations

from typing import NamedTuple

from app.errors import NotFound


class Account(NamedTuple):
    """`pcmn` and `pcg` are its numbers in the two plans; `kind` asset, liability, equity, income or expense."""

    pcmn: str
    pcg: str
    kind: str
    fr: str
    nl: str
    en: str
    de: str

    def number(self, country: str) -> str:
        """In the plan of an operator's country."""
        return self.pcg if country == "FR" else self.pcmn

    def label(self, locale: str) -> str:
        return {"nl": self.nl, "en": self.en, "de": self.de}.get(locale, self.fr)


ACCOUNTS: dict[str, Account] = {
    "receivable": Account("400000", "411000", "asset", "Clients", "Klanten", "Customers", "Kunden"),
    "unbilled": Account(
        "404000", "418100", "asset", "Clients, factures à établir", "Op te maken facturen", "Invoices to be issued",
        "Auszustellende Rechnungen",
    ),
    "revenue_booking": Account(
        "700100", "706100", "income", "Réservations", "Reservaties", "Bookings", "Buchungen",
    ),
    "revenue_membership": Account(
        "700200", "706200", "income", "Abonnements", "Abonnementen", "Memberships", "Mitgliedschaften",
    ),
    "revenue_fee": Account(
        "700300", "706300", "income", "Frais d'annulation", "Annuleringskosten", "Cancellation fees",
        "Stornogebühren",
    ),
    "revenue_other": Account(
        "700900", "708800", "income", "Autres prestations", "Andere diensten", "Other services",
        "Sonstige Leistungen",
    ),
    "vat_due": Account(
        "451000", "445710", "liability", "TVA à payer", "Te betalen btw", "VAT due", "Geschuldete MwSt.",
    ),
    "vat_pending": Account(
        "451800", "445870", "liability", "TVA sur factures à établir", "Btw op op te maken facturen",
        "VAT on invoices to be issued", "MwSt. auf auszustellende Rechnungen",
    ),
    "deferred": Account(
        "493000", "487000", "liability", "Produits à reporter", "Over te dragen opbrengsten", "Deferred income",
        "Abzugrenzende Erträge",
    ),
    "deposits_held": Account(
        "488000", "165000", "liability", "Cautionnements reçus", "Ontvangen borgtochten", "Deposits held",
        "Erhaltene Kautionen",
    ),
    "advances": Account(
        "460000", "419100", "liability", "Acomptes reçus", "Ontvangen vooruitbetalingen", "Advances received",
        "Erhaltene Anzahlungen",
    ),
    "rounding": Account(
        "648000", "658000", "expense", "Écarts d'arrondi", "Afrondingsverschillen", "Rounding differences",
        "Rundungsdifferenzen",
    ),
    "retained": Account(
        "140000", "110000", "equity", "Résultat reporté", "Overgedragen resultaat", "Result brought forward",
        "Ergebnisvortrag",
    ),
    "bank": Account("550000", "512000", "asset", "Banque", "Bank", "Bank", "Bank"),
    "cash": Account("570000", "530000", "asset", "Caisse", "Kas", "Cash", "Kasse"),
    "cash_differences": Account(
        "649000", "658200", "expense", "Différences de caisse", "Kasverschillen", "Cash differences",
        "Kassendifferenzen",
    ),
    "payments_in_transit": Account(
        "580000", "511500", "asset", "Paiements en cours d'encaissement", "Betalingen onderweg",
        "Payments in transit", "Zahlungen unterwegs",
    ),
    "disputed": Account(
        "407000", "416000", "asset", "Paiements contestés", "Betwiste betalingen", "Disputed payments",
        "Angefochtene Zahlungen",
    ),
    "suspense": Account(
        "499000", "471000", "liability", "Comptes d'attente", "Wachtrekeningen", "Suspense", "Verrechnungskonto",
    ),
    "payment_fees": Account(
        "657000", "627800", "expense", "Frais de paiement et de banque", "Betaal- en bankkosten",
        "Payment and bank charges", "Zahlungs- und Bankgebühren",
    ),
    "late_interest": Account(
        "751000", "763100", "income", "Intérêts de retard", "Nalatigheidsinteresten", "Late-payment interest",
        "Verzugszinsen",
    ),
    "bank_interest": Account(
        "751900", "768000", "income", "Intérêts bancaires", "Bankinteresten", "Bank interest", "Bankzinsen",
    ),
    "recovery_fees": Account(
        "743000", "758000", "income", "Indemnités de recouvrement", "Invorderingskosten", "Recovery fees",
        "Beitreibungspauschalen",
    ),
}  # fmt: skip


def account_named(name: str) -> Account:
    """Raises NotFound for a name that is no account."""
    account = ACCOUNTS.get(name)
    if account is None:
        raise NotFound()
    return account
