from __future__ import annotations

from datetime import date

import pytest

from app.vat.rates import EU_COUNTRIES, RATES, TREATMENTS, VatUndecided, rate_on, treatment
from app.vat.territories import FISCAL_COUNTRY, territory_of

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("country", "day", "permille"),
    [
        pytest.param("BE", date(2026, 3, 2), 210, id="Belgium today"),
        pytest.param("BE", date(1996, 1, 1), 210, id="Belgium on the first day of 21 %"),
        pytest.param("FR", date(2026, 3, 2), 200, id="France today"),
        pytest.param("FR", date(2014, 1, 1), 200, id="France on the first day of 20 %"),
        pytest.param("FR", date(2013, 12, 31), 196, id="France the day before"),
        pytest.param("RE", date(2026, 3, 2), 85, id="Réunion today"),
    ],
)
def test_the_rate_is_that_of_the_country_and_the_day(country: str, day: date, permille: int) -> None:
    assert rate_on(day, territory=country).permille == permille


@pytest.mark.parametrize(
    ("country", "category", "day"),
    [
        pytest.param("BE", "standard", date(1995, 12, 31), id="before the first row"),
        pytest.param("LU", "standard", date(2026, 3, 2), id="a country without rows"),
        pytest.param("FR", "reduced", date(2026, 3, 2), id="a category without rows"),
    ],
)
def test_no_row_means_no_answer_rather_than_a_guess(country: str, category: str, day: date) -> None:
    with pytest.raises(VatUndecided) as undecided:
        rate_on(day, territory=country, category=category)
    assert undecided.value.facts == {"territory": country, "category": category, "day": day.isoformat()}


def test_an_unknown_regime_has_no_answer() -> None:
    with pytest.raises(VatUndecided, match="flat_rate"):
        treatment(DAY, country="BE", regime="flat_rate")


def test_every_country_with_rates_has_every_regime_and_every_row_its_source() -> None:
    regimes = {"standard", "small_business", "association"}
    pairs = {(row.country, row.regime) for row in TREATMENTS}
    assert pairs == {(FISCAL_COUNTRY.get(rate.territory, rate.territory), each) for rate in RATES for each in regimes}
    assert all(rate.source for rate in RATES)
    assert all(row.source for row in TREATMENTS)


def test_two_rows_never_begin_on_one_day() -> None:
    rates = [(row.territory, row.category, row.valid_from) for row in RATES]
    treatments = [(row.country, row.regime, row.valid_from) for row in TREATMENTS]
    assert len(rates) == len(set(rates))
    assert len(treatments) == len(set(treatments))


def test_what_is_not_taxed_carries_a_mention_and_what_is_taxed_does_not() -> None:
    assert all((row.mention_code is None) == (row.category == "S") for row in TREATMENTS)


def test_the_union_has_27_members() -> None:
    assert len(EU_COUNTRIES) == 27


@pytest.mark.parametrize(
    ("postcode", "territory"),
    [
        ("44000", "FR"), ("20000", "FR"), ("97100", "GP"), ("97133", "BL"), ("97150", "MF"), ("97200", "MQ"),
        ("97300", "GF"), ("97400", "RE"), ("97500", "PM"), ("976 00", "YT"), ("98800", "NC"), ("", "FR"),
    ],
)  # fmt: skip
def test_a_french_postcode_lies_in_a_territory(postcode: str, territory: str) -> None:
    assert territory_of("FR", postcode) == territory


def test_a_belgian_postcode_says_nothing_about_rates() -> None:
    assert territory_of("BE", "9710") == "BE"


def test_the_small_businesses_of_belgium_have_a_row_for_each_wording_of_their_mention() -> None:
    before, after = (
        treatment(day, country="BE", regime="small_business") for day in (date(2024, 12, 31), date(2025, 1, 1))
    )
    assert (before.mention_code, after.mention_code) == ("be_small_business_2014", "be_small_business_56bis")
