"""What the law has a document say, beside amounts: of its VAT, of the seller's country, and of a deposit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from app.vat.document_mentions import required
from app.vat.mentions import mention_text

DEPOSIT = "deposit_outside_vat"

# Directive 2006/112/CE, art. 73 and 79: a returnable deposit is not the consideration for a supply.
DEPOSIT_WORDS = {
    "fr": "Garantie restituable : ce n’est pas le prix d’un service, la TVA ne s’applique pas",
    "nl": "Terugbetaalbare waarborg: geen vergoeding voor een dienst, de btw is niet van toepassing",
    "de": "Rückzahlbare Kaution: kein Entgelt für eine Leistung, die MwSt. findet keine Anwendung",
    "en": "Returnable deposit: not the price of a service, VAT does not apply",
}


def mentions(
    *, country: str, to_business: bool, kind: str, deposit: bool, vat_codes: Iterable[str | None], day: date,
    locale: str,
) -> list[dict[str, str]]:  # fmt: skip
    """Every mention that a document of `kind` issued on `day` needs, `{code, text}`: those of its VAT first, each once.

    `deposit` says that it is of deposits alone, which are no supply: what the law wants of invoices is not said.
    """
    said = {code: mention_text(code, locale) for code in vat_codes if code}
    if deposit:
        return [{"code": code, "text": text} for code, text in {**said, DEPOSIT: DEPOSIT_WORDS[locale]}.items()]
    for code in required(country, buyer_is_business=to_business, day=day, credit_note=kind == "credit_note"):
        said.setdefault(code, mention_text(code, locale))
    return [{"code": code, "text": text} for code, text in said.items()]
