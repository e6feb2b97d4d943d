"""Amounts, days, rates and quantities, and that every word exists in every language."""

from __future__ import annotations

import pytest

from app.billing.papers.figures import Figures, locale_of
from app.billing.papers.labels import CATEGORY_LABELS, ELSEWHERE, LABELS, UNITS
from app.languages import LANGUAGES


def figures(language: str, country: str) -> Figures:
    return Figures(locale_of(language, country), "EUR")


def plain(text: str) -> str:
    return text.replace("\xa0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("place", "money", "day", "short", "rate", "quantity"),
    [
        (("fr", "BE"), "1 234,05 €", "22 novembre 2026", "22/11/2026", "5,5 %", "1,5 heure"),
        (("fr", "FR"), "1 234,05 €", "22 novembre 2026", "22/11/2026", "5,5 %", "1,5 heure"),
        (("nl", "BE"), "€ 1.234,05", "22 november 2026", "22/11/2026", "5,5%", "1,5 uur"),
        (("de", "BE"), "1.234,05 €", "22. November 2026", "22.11.2026", "5,5 %", "1,5 Stunden"),
        (("en", "GB"), "€1,234.05", "22 November 2026", "22/11/2026", "5.5%", "1.5 hours"),
        (("sv", "SE"), "1 234,05 €", "22 novembre 2026", "22/11/2026", "5,5 %", "1,5 heure"),
    ],
)
def test_each_writes_as_they_do_there(
    place: tuple[str, str], money: str, day: str, short: str, rate: str, quantity: str
) -> None:
    told = figures(*place)
    assert plain(told.money(123405)) == money
    assert plain(told.day("2026-11-22")) == day
    assert told.short_day("2026-11-22") == short
    assert plain(told.rate(55)) == rate
    assert plain(told.quantity(1500, "hour")) == quantity


@pytest.mark.parametrize(
    ("net", "milli", "told"),
    [
        (8750, 3500, "25,00"), (1000, 3000, "3,3333"), (1, 1000, "0,01"), (5, 2000, "0,025"), (100, 0, ""),
        (-8750, 3500, "-25,00"), (8750, -3500, "-25,00"), (10**12, 1, "10 000 000 000 000,00"),
    ],
)  # fmt: skip
def test_the_price_of_one_is_told_to_four_decimals_where_cents_do_not_tell_it(net: int, milli: int, told: str) -> None:
    assert plain(figures("fr", "BE").price(net, milli)) == told


@pytest.mark.parametrize(
    ("milli", "unit", "told"),
    [
        (1000, "day", "1 jour"), (2000, "day", "2 jours"), (1000, "cycle", "1 période"), (0, "piece", "0 unité"),
        (12500, "hour", "12,5 heures"), (1000, "parsec", "1 parsec"), (-1000, "hour", "-1 heure"),
        (333, "day", "0,333 jour"),
    ],
)  # fmt: skip
def test_one_is_told_otherwise_than_several(milli: int, unit: str, told: str) -> None:
    assert figures("fr", "BE").quantity(milli, unit) == told


def test_a_period_of_one_day_is_one_day() -> None:
    assert figures("fr", "BE").days("2028-02-29", "2028-02-29") == "29/02/2028"
    assert figures("fr", "BE").days("2028-02-29", "2028-03-01") == "29/02/2028 – 1/03/2028"


def test_every_word_is_there_in_every_language() -> None:
    assert all(len(words) == len(LANGUAGES) and all(words) for words in LABELS.values())
    assert all(len(words) == len(LANGUAGES) and all(all(forms) for forms in words) for words in UNITS.values())
    assert set(UNITS) == {"hour", "day", "cycle", "piece"}
    assert set(CATEGORY_LABELS.values()) | {name for name, _, _ in ELSEWHERE} <= set(LABELS)
    assert all("%(page)s" in said and "%(pages)s" in said for said in LABELS["page"])
