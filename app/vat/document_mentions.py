"""What every document of a country says besides its VAT: dated rows, by who buys and what kind of document it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple


class Demand(NamedTuple):
    """`code` is on documents issued in `country` from `valid_from` until the day before `valid_until`.

    Each of `to_business`, `credit_note` and `on_debits` (the seller's VAT is due when it invoices, by its choice)
    says for which documents: None is for all.
    """

    code: str
    country: str
    valid_from: date
    source: str
    valid_until: date | None = None
    to_business: bool | None = None
    credit_note: bool | None = None
    on_debits: bool | None = None


DEMANDS: tuple[Demand, ...] = (
    Demand(
        "fr_services", "FR", date(2026, 9, 1), "CGI, ann. II, art. 242 nonies A ; décret n° 2022-1299"
    ),
    Demand(
        "fr_vat_on_debits", "FR", date(2026, 9, 1), "CGI, ann. II, art. 242 nonies A ; décret n° 2022-1299",
        on_debits=True,
    ),
    Demand(
        "fr_late_interest", "FR", date(2019, 4, 26), "Code de commerce, art. L441-9 et L441-10, II",
        to_business=True, credit_note=False,
    ),
    Demand(
        "fr_recovery_40", "FR", date(2013, 1, 1), "Code de commerce, art. D441-5 ; décret n° 2012-1115",
        to_business=True, credit_note=False,
    ),
    Demand(
        "fr_no_discount", "FR", date(2009, 1, 1), "Code de commerce, art. L441-9",
        to_business=True, credit_note=False,
    ),
    Demand(
        "be_late_payment", "BE", date(2013, 3, 16), "Loi du 2 août 2002, art. 5 et 6",
        to_business=True, credit_note=False,
    ),
    Demand(
        "be_credit_note", "BE", date(1970, 1, 1), "Arrêté royal n° 4 du 29 décembre 1969, art. 4",
        to_business=True, credit_note=True,
    ),
)  # fmt: skip

DOCUMENT_TEXTS: Mapping[str, Mapping[str, str]] = {
    "fr_services": {
        "fr": "Catégorie de l'opération : prestations de services",
        "nl": "Aard van de handeling: diensten",
        "en": "Category of operation: services",
        "de": "Art des Umsatzes: Dienstleistungen",
    },
    "fr_vat_on_debits": {
        "fr": "Option pour le paiement de la taxe d'après les débits",
        "nl": "Btw verschuldigd op het tijdstip van facturering",
        "en": "VAT due on invoicing, by option",
        "de": "MwSt. nach Wahl bei Rechnungsstellung geschuldet",
    },
    "fr_late_interest": {
        "fr": "Pénalités de retard : taux de refinancement de la Banque centrale européenne majoré de 10 points",
        "nl": "Verwijlintrest: herfinancieringsrente van de Europese Centrale Bank plus 10 procentpunten",
        "en": "Interest on late payment: the European Central Bank's refinancing rate plus 10 percentage points",
        "de": "Verzugszinsen: Refinanzierungssatz der Europäischen Zentralbank zuzüglich 10 Prozentpunkten",
    },
    "fr_recovery_40": {
        "fr": "Indemnité forfaitaire pour frais de recouvrement en cas de retard de paiement : 40 €",
        "nl": "Forfaitaire vergoeding voor invorderingskosten bij laattijdige betaling: € 40",
        "en": "Fixed compensation for recovery costs in case of late payment: €40",
        "de": "Pauschale Entschädigung für Beitreibungskosten bei Zahlungsverzug: 40 €",
    },
    "fr_no_discount": {
        "fr": "Pas d'escompte pour paiement anticipé",
        "nl": "Geen korting bij vervroegde betaling",
        "en": "No discount for early payment",
        "de": "Kein Skonto bei vorzeitiger Zahlung",
    },
    "be_late_payment": {
        "fr": "Retard de paiement : intérêts et indemnité forfaitaire de 40 € de plein droit (loi du 2 août 2002)",
        "nl": "Laattijdige betaling: van rechtswege intrest en een vergoeding van € 40 (wet van 2 augustus 2002)",
        "en": "Late payment: interest and a fixed €40 are due by operation of law (Belgian Act of 2 August 2002)",
        "de": "Zahlungsverzug: von Rechts wegen Zinsen und pauschal 40 € (belgisches Gesetz vom 2. August 2002)",
    },
    "be_credit_note": {
        "fr": "TVA à reverser à l'État dans la mesure où elle a été initialement déduite",
        "nl": "Btw terug te storten aan de Staat in de mate waarin ze oorspronkelijk in aftrek werd gebracht",
        "en": "VAT to be repaid to the State to the extent that it was originally deducted",
        "de": "MwSt. an den Staat zurückzuzahlen, soweit sie ursprünglich abgezogen wurde",
    },
}


def required(
    country: str, *, buyer_is_business: bool, day: date, credit_note: bool = False, on_debits: bool = False
) -> list[str]:
    """The codes of what a document of a seller in `country` issued on `day` must say, in the order to say it.

    `app.vat.mentions.mention_text` has the words.
    """
    facts = (buyer_is_business, credit_note, on_debits)
    return [row.code for row in DEMANDS if row.country == country and _in_force(row, day) and _fits(row, facts)]


def _in_force(row: Demand, day: date) -> bool:
    return row.valid_from <= day and (row.valid_until is None or day < row.valid_until)


def _fits(row: Demand, facts: tuple[bool, ...]) -> bool:
    wanted = (row.to_business, row.credit_note, row.on_debits)
    return all(want is None or want == fact for want, fact in zip(wanted, facts, strict=True))
