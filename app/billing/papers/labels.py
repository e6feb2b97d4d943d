"""The words of a document, in the four languages. A table: what is not in it is not on a document.

Some words belong to a law rather than to a language: French law says `avoir` where Belgian law says `note de crédit`,
and a company's number is a numéro d'entreprise here and a SIREN there.
"""

from __future__ import annotations

_ORDER = ("fr", "nl", "de", "en")

LABELS: dict[str, tuple[str, str, str, str]] = {
    "invoice": ("Facture", "Factuur", "Rechnung", "Invoice"),
    "deposit": ("Demande de garantie", "Waarborgverzoek", "Kautionsanforderung", "Deposit request"),
    "credit_note": ("Note de crédit", "Creditnota", "Gutschrift", "Credit note"),
    "number": ("Numéro", "Nummer", "Nummer", "Number"),
    "issued_on": ("Date", "Datum", "Datum", "Date"),
    "due_on": ("À payer avant le", "Te betalen vóór", "Zahlbar bis", "Pay by"),
    "period": ("Période", "Periode", "Zeitraum", "Period"),
    "purchase_order": ("Votre référence", "Uw referentie", "Ihre Referenz", "Your reference"),
    "corrects": ("Corrige la facture", "Verbetert factuur", "Berichtigt Rechnung", "Corrects invoice"),
    "of_day": ("du", "van", "vom", "of"),
    "bill_to": ("Pour", "Voor", "Für", "For"),
    "vat_number": ("TVA", "BTW", "MwSt.", "VAT"),
    "company_number": ("N° d’entreprise", "Ondernemingsnr.", "Unternehmensnr.", "Company no."),
    "description": ("Description", "Omschrijving", "Beschreibung", "Description"),
    "quantity": ("Quantité", "Aantal", "Menge", "Quantity"),
    "unit_price": ("Prix unitaire", "Eenheidsprijs", "Einzelpreis", "Unit price"),
    "vat": ("TVA", "Btw", "MwSt.", "VAT"),
    "net": ("Hors TVA", "Excl. btw", "Netto", "Excl. VAT"),
    "vat_rate": ("Taux", "Tarief", "Satz", "Rate"),
    "vat_base": ("Base", "Maatstaf", "Basis", "Taxable"),
    "vat_amount": ("Montant TVA", "Btw-bedrag", "MwSt.-Betrag", "VAT amount"),
    "total_net": ("Total hors TVA", "Totaal excl. btw", "Summe netto", "Total excl. VAT"),
    "total_vat": ("TVA", "Btw", "MwSt.", "VAT"),
    "total_gross": ("Total TVA comprise", "Totaal incl. btw", "Summe brutto", "Total incl. VAT"),
    "due": ("À payer", "Te betalen", "Zu zahlen", "To pay"),
    "credited": ("En votre faveur", "In uw voordeel", "Zu Ihren Gunsten", "In your favour"),
    "subtotal": ("Sous-total", "Subtotaal", "Zwischensumme", "Subtotal"),
    "late": ("mois précédent", "vorige maand", "Vormonat", "earlier month"),
    "corrects_line": ("correction", "correctie", "Korrektur", "correction"),
    "how_to_pay": ("Pour payer", "Betalen", "So zahlen Sie", "How to pay"),
    "scan": (
        "Scannez ce code avec l’application de votre banque.",
        "Scan deze code met de app van uw bank.",
        "Scannen Sie diesen Code mit der App Ihrer Bank.",
        "Scan this code with your bank’s app.",
    ),
    "beneficiary": ("Bénéficiaire", "Begunstigde", "Empfänger", "Beneficiary"),
    "iban": ("IBAN", "IBAN", "IBAN", "IBAN"),
    "communication": ("Communication", "Mededeling", "Mitteilung", "Reference"),
    "amount": ("Montant", "Bedrag", "Betrag", "Amount"),
    "no_payment": (
        "Rien à payer : ce montant vous revient.",
        "Niets te betalen: dit bedrag komt u toe.",
        "Nichts zu zahlen: Dieser Betrag steht Ihnen zu.",
        "Nothing to pay: this amount is owed to you.",
    ),
    "nothing_due": ("Rien à payer.", "Niets te betalen.", "Nichts zu zahlen.", "Nothing to pay."),
    "vat_exempt": ("exonéré", "vrijgesteld", "steuerbefreit", "exempt"),
    "vat_out_of_scope": ("hors champ", "buiten toepassing", "nicht steuerbar", "out of scope"),
    "vat_reverse": ("autoliquidation", "btw verlegd", "Reverse Charge", "reverse charge"),
    "page": ("page %(page)s de %(pages)s", "pagina %(page)s van %(pages)s", "Seite %(page)s von %(pages)s",
             "page %(page)s of %(pages)s"),
}  # fmt: skip

# What a word is where another law holds: (label, language, country).
ELSEWHERE: dict[tuple[str, str, str], str] = {
    ("credit_note", "fr", "FR"): "Avoir",
    ("deposit", "fr", "FR"): "Demande de dépôt de garantie",
    **{("company_number", language, "FR"): "SIREN" for language in _ORDER},
}

# One and several of each unit.
UNITS: dict[str, tuple[tuple[str, str], ...]] = {
    "hour": (("heure", "heures"), ("uur", "uur"), ("Stunde", "Stunden"), ("hour", "hours")),
    "day": (("jour", "jours"), ("dag", "dagen"), ("Tag", "Tage"), ("day", "days")),
    "cycle": (("période", "périodes"), ("periode", "periodes"), ("Zeitraum", "Zeiträume"), ("period", "periods")),
    "piece": (("unité", "unités"), ("stuk", "stuks"), ("Stück", "Stück"), ("unit", "units")),
}  # fmt: skip

# Categories of EN 16931 for which a rate says less than a word.
CATEGORY_LABELS = {"E": "vat_exempt", "O": "vat_out_of_scope", "AE": "vat_reverse"}


def label(name: str, language: str, country: str = "") -> str:
    """The word `name` in a language, as the law of `country` has it. Raises KeyError for a word that is not there."""
    return ELSEWHERE.get((name, language, country)) or LABELS[name][_ORDER.index(language)]


def unit_name(unit: str, language: str, *, plural: bool) -> str:
    return UNITS[unit][_ORDER.index(language)][plural]
