from __future__ import annotations

from datetime import date

import pytest

from app.billing.dunning.claiming import MENTION as LATE_PAYMENT
from app.vat.document_mentions import DEMANDS, DOCUMENT_TEXTS, required
from app.vat.lettings import RULES
from app.vat.mentions import ALL_TEXTS, LOCALES, TEXTS, mention_text
from app.vat.places import ABROAD
from app.vat.rates import TREATMENTS
from app.vat.territories import NO_VAT


@pytest.mark.parametrize("code", ALL_TEXTS)
def test_a_mention_has_words_in_every_language(code: str) -> None:
    texts = [mention_text(code, locale) for locale in LOCALES]
    assert all(texts)
    assert len(set(texts)) == len(LOCALES)


@pytest.mark.parametrize(
    ("code", "locale", "text"),
    [
        ("reverse_charge", "fr", "Autoliquidation"),
        ("reverse_charge", "nl", "Btw verlegd"),
        ("be_small_business_56bis", "fr", "Régime particulier de la franchise de taxe"),
        ("be_small_business_56bis", "nl", "Bijzondere vrijstellingsregeling"),
        ("fr_small_business_293b", "fr", "TVA non applicable, art. 293 B du CGI"),
        ("fr_overseas_294", "fr", "TVA non applicable, art. 294, 1 du CGI"),
    ],
)
def test_the_words_are_those_of_the_law(code: str, locale: str, text: str) -> None:
    assert mention_text(code, locale) == text


def test_a_code_without_words_is_refused() -> None:
    with pytest.raises(KeyError):
        mention_text("no_such_mention", "fr")


def test_every_code_that_a_table_gives_has_words_and_no_words_are_left_over() -> None:
    rows = (*TREATMENTS, *RULES, *NO_VAT, *ABROAD.values())
    assert ({row.mention_code for row in rows} - {None}) | {LATE_PAYMENT} == set(TEXTS)
    assert {row.code for row in DEMANDS} == set(DOCUMENT_TEXTS)
    assert set(TEXTS) & set(DOCUMENT_TEXTS) == set()


FR_BUSINESS = ["fr_late_interest", "fr_recovery_40", "fr_no_discount"]


@pytest.mark.parametrize(
    ("country", "facts", "codes"),
    [
        pytest.param("FR", {"buyer_is_business": True}, ["fr_services", *FR_BUSINESS], id="France, to a business"),
        pytest.param("FR", {"buyer_is_business": False}, ["fr_services"], id="France, to a private person"),
        pytest.param(
            "FR",
            {"buyer_is_business": False, "on_debits": True},
            ["fr_services", "fr_vat_on_debits"],
            id="France, VAT due on invoicing by choice",
        ),
        pytest.param(
            "FR", {"buyer_is_business": True, "day": date(2026, 8, 31)}, FR_BUSINESS, id="France, till August"
        ),
        pytest.param("FR", {"buyer_is_business": True, "credit_note": True}, ["fr_services"], id="France, given back"),
        pytest.param("BE", {"buyer_is_business": True}, ["be_late_payment"], id="Belgium, to a business"),
        pytest.param("BE", {"buyer_is_business": False}, [], id="Belgium, to a private person"),
        pytest.param(
            "BE", {"buyer_is_business": True, "credit_note": True}, ["be_credit_note"], id="Belgium, given back"
        ),
        pytest.param("LU", {"buyer_is_business": True}, [], id="a country without rows"),
    ],
)
def test_what_every_document_of_a_country_says(country: str, facts: dict, codes: list[str]) -> None:
    assert required(country, **{"day": date(2026, 11, 22), **facts}) == codes
