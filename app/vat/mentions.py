"""What a document says about VAT that is not charged: the words for each code of mention, in four languages.

The first text of a code is that of the law, in the languages of the country that asks for it; the others translate it.
A mention that the law rewords gets a new code, so that a document of last year still says what it said then.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.vat.document_mentions import DOCUMENT_TEXTS

LOCALES = ("fr", "nl", "en", "de")

_REVERSED = {
    "fr": "Autoliquidation",
    "nl": "Btw verlegd",
    "en": "Reverse charge",
    "de": "Steuerschuldnerschaft des Leistungsempfängers",
}

TEXTS: Mapping[str, Mapping[str, str]] = {
    # Directive 2006/112/CE, art. 226, point 11 bis; AR n° 1, art. 5, § 1er, 9° bis; CGI, ann. II, art. 242 nonies A
    "reverse_charge": _REVERSED,
    # Directive 2006/112/CE, art. 44: CTVA, art. 21, § 2 ; CGI, art. 259, 1°
    "outside_eu_art_44": {
        "fr": "Prestation non soumise à la TVA : article 44 de la directive 2006/112/CE",
        "nl": "Dienst niet aan de btw onderworpen: artikel 44 van richtlijn 2006/112/EG",
        "en": "Service not subject to VAT: article 44 of Directive 2006/112/EC",
        "de": "Nicht der MwSt. unterliegende Dienstleistung: Artikel 44 der Richtlinie 2006/112/EG",
    },
    # AR n° 1, art. 5, § 1er, 10° quater (AR du 15 décembre 2024), depuis le 1er janvier 2025
    "be_small_business_56bis": {
        "fr": "Régime particulier de la franchise de taxe",
        "nl": "Bijzondere vrijstellingsregeling",
        "en": "Special exemption scheme for small businesses (article 56bis of the Belgian VAT Code)",
        "de": "Sonderregelung der Steuerbefreiung für Kleinunternehmen (Artikel 56bis des MwSt.-Gesetzbuches)",
    },
    # AR n° 19 du 29 juin 2014, jusqu'au 31 décembre 2024
    "be_small_business_2014": {
        "fr": "Régime particulier de franchise des petites entreprises",
        "nl": "Bijzondere vrijstellingsregeling kleine ondernemingen",
        "en": "Special exemption scheme for small businesses",
        "de": "Sonderregelung der Steuerbefreiung für Kleinunternehmen",
    },
    # CGI, art. 293 E, II; l'ancienne référence reste admise jusqu'au 31 décembre 2027 (ordonnance n° 2025-1247)
    "fr_small_business_293b": {
        "fr": "TVA non applicable, art. 293 B du CGI",
        "nl": "Btw niet van toepassing, art. 293 B van de Franse CGI",
        "en": "VAT not applicable, article 293 B of the French CGI",
        "de": "MwSt. nicht anwendbar, Artikel 293 B des französischen CGI",
    },
    "be_association_not_taxable": {
        "fr": "Association non assujettie à la TVA (article 4 du Code de la TVA)",
        "nl": "Niet-btw-plichtige vereniging (artikel 4 van het Btw-Wetboek)",
        "en": "Association not liable to VAT (article 4 of the Belgian VAT Code)",
        "de": "Nicht mehrwertsteuerpflichtige Vereinigung (Artikel 4 des MwSt.-Gesetzbuches)",
    },
    "fr_association_261_7": {
        "fr": "Exonération de TVA, article 261, 7, 1° du CGI",
        "nl": "Vrijgesteld van btw, artikel 261, 7, 1° van de Franse CGI",
        "en": "Exempt from VAT, article 261, 7, 1° of the French CGI",
        "de": "Von der MwSt. befreit, Artikel 261, 7, 1° des französischen CGI",
    },
    "be_letting_exempt_44": {
        "fr": "Exemption de TVA, article 44, § 3, 2° du Code de la TVA",
        "nl": "Vrijgesteld van btw, artikel 44, § 3, 2° van het Btw-Wetboek",
        "en": "Exempt from VAT, article 44, § 3, 2° of the Belgian VAT Code",
        "de": "Von der MwSt. befreit, Artikel 44 § 3 Nr. 2 des MwSt.-Gesetzbuches",
    },
    "fr_letting_exempt_261d": {
        "fr": "Exonération de TVA, article 261 D, 2° du CGI",
        "nl": "Vrijgesteld van btw, artikel 261 D, 2° van de Franse CGI",
        "en": "Exempt from VAT, article 261 D, 2° of the French CGI",
        "de": "Von der MwSt. befreit, Artikel 261 D, 2° des französischen CGI",
    },
    # CTVA, art. 28, 1° ; BOI-TVA-BASE-10-10-30: what makes good a late payment is no price of a supply
    "late_payment_outside_vat": {
        "fr": "Intérêts et indemnités de retard, hors champ de la TVA",
        "nl": "Interesten en vergoedingen wegens laattijdige betaling, buiten de btw",
        "en": "Interest and compensation for late payment, outside the scope of VAT",
        "de": "Verzugszinsen und -entschädigungen, nicht der MwSt. unterliegend",
    },
    "fr_overseas_294": {
        "fr": "TVA non applicable, art. 294, 1 du CGI",
        "nl": "Btw niet van toepassing, art. 294, 1 van de Franse CGI",
        "en": "VAT not applicable, article 294, 1 of the French CGI",
        "de": "MwSt. nicht anwendbar, Artikel 294, 1 des französischen CGI",
    },
}

ALL_TEXTS: Mapping[str, Mapping[str, str]] = {**TEXTS, **DOCUMENT_TEXTS}


def mention_text(code: str, locale: str) -> str:
    """What a document in `locale` (fr, nl, en or de) says for `code`, be it one of VAT or of document_mentions.

    KeyError for a code or a language without words.
    """
    return ALL_TEXTS[code][locale]
