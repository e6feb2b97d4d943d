from __future__ import annotations

import pytest

from app.vat.mentions import LOCALES, TEXTS, mention_text


@pytest.mark.parametrize("code", TEXTS)
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
