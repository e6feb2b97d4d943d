from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.vat.decide import Decision, decide, price_with_vat
from app.vat.rates import VatUndecided

DAY = date(2026, 3, 2)


def decided(country: str = "BE", regime: str = "standard", **facts: Any) -> tuple[int, str, str | None]:
    decision = decide(country=country, regime=regime, day=DAY, **facts)
    assert decision.ground
    return decision.rate_permille, decision.category, decision.mention_code


def to_business(country: str | None) -> dict[str, Any]:
    return {"customer_country": country, "customer_is_business": True}


def test_a_desk_in_belgium_is_taxed_at_21_percent() -> None:
    assert decided("BE") == (210, "S", None)


def test_a_desk_in_france_is_taxed_at_20_percent() -> None:
    assert decided("FR") == (200, "S", None)


def test_a_small_business_in_belgium_charges_none_under_article_56bis() -> None:
    assert decided("BE", "small_business") == (0, "E", "be_small_business_56bis")


def test_a_small_business_in_france_charges_none_under_article_293_b() -> None:
    assert decided("FR", "small_business") == (0, "E", "fr_small_business_293b")


def test_a_non_taxable_association_of_belgium_is_outside_vat() -> None:
    assert decided("BE", "association") == (0, "O", "be_association_not_taxable")


def test_a_disinterested_association_of_france_is_exempt() -> None:
    assert decided("FR", "association") == (0, "E", "fr_association_261_7")


def test_immovable_is_taxed_where_the_space_is_whoever_buys() -> None:
    assert decided("FR", place_of_supply="IMMOVABLE", **to_business("BE")) == (200, "S", None)


@pytest.mark.parametrize(
    ("country", "regime", "customer", "expected"),
    [
        pytest.param("BE", "standard", to_business("BE"), (210, "S", None), id="a business at home"),
        pytest.param("BE", "standard", to_business("FR"), (0, "AE", "reverse_charge"), id="a business over the border"),
        pytest.param("FR", "standard", to_business("BE"), (0, "AE", "reverse_charge"), id="and the other way"),
        pytest.param(
            "BE", "standard", to_business("CH"), (0, "O", "outside_eu_art_44"), id="a business outside the Union"
        ),
        pytest.param("BE", "standard", {"customer_country": "FR"}, (210, "S", None), id="a private person from abroad"),
        pytest.param("BE", "standard", {}, (210, "S", None), id="somebody unknown"),
        pytest.param(
            "FR", "small_business", to_business("BE"), (0, "AE", "reverse_charge"), id="a small business selling abroad"
        ),
        pytest.param(
            "FR", "small_business", to_business("FR"), (0, "E", "fr_small_business_293b"), id="a small business at home"
        ),
        pytest.param(
            "FR", "association", to_business("BE"), (0, "E", "fr_association_261_7"), id="an association selling abroad"
        ),
    ],
)
def test_a_general_service_is_taxed_where_the_business_customer_is(
    country: str, regime: str, customer: dict, expected: tuple
) -> None:
    assert decided(country, regime, place_of_supply="GENERAL_B2B", **customer) == expected


def test_a_business_without_a_country_cannot_be_decided() -> None:
    with pytest.raises(Invalid, match="customer_country"):
        decided(place_of_supply="GENERAL_B2B", **to_business(None))


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"country": "LU"}, id="a country without rows"),
        pytest.param({"regime": "flat_rate"}, id="an unknown regime"),
        pytest.param({"place_of_supply": "WHEREVER"}, id="an unknown rule"),
    ],
)
def test_no_row_means_no_answer_rather_than_a_guess(facts: dict) -> None:
    with pytest.raises(VatUndecided):
        decided(**facts)


def test_the_rate_is_that_of_the_day_of_supply() -> None:
    assert decide(country="FR", day=date(2013, 12, 31)).rate_permille == 196


STANDARD = decide(country="BE", day=DAY)
EXEMPT = decide(country="BE", regime="small_business", day=DAY)
REVERSED = decide(
    country="BE", day=DAY, place_of_supply="GENERAL_B2B", customer_country="FR", customer_is_business=True
)


@pytest.mark.parametrize(
    ("cents", "includes_vat", "decision", "expected"),
    [
        pytest.param(1000, False, STANDARD, (1210, 1000, 210), id="21 % on top"),
        pytest.param(1210, True, STANDARD, (1210, 1000, 210), id="21 % inside"),
        pytest.param(50, False, STANDARD, (61, 50, 11), id="10.5 cents go up"),
        pytest.param(1, True, STANDARD, (1, 1, 0), id="a cent holds no VAT"),
        pytest.param(1000, False, EXEMPT, (1000, 1000, 0), id="exempt, list without VAT"),
        pytest.param(1000, True, EXEMPT, (1000, 1000, 0), id="exempt: its own list contains none"),
        pytest.param(1000, False, REVERSED, (1000, 1000, 0), id="reverse charge, list without VAT"),
        pytest.param(1210, True, REVERSED, (1000, 1000, 0), id="reverse charge takes the VAT out of the list price"),
        pytest.param(1210, True, Decision(210, "S", "any"), (1210, 1000, 210), id="a decision made by hand"),
        pytest.param(-1210, True, STANDARD, (-1210, -1000, -210), id="what is given back"),
        pytest.param(0, True, STANDARD, (0, 0, 0), id="free"),
    ],
)
def test_gross_net_and_vat_of_a_list_price(
    cents: int, includes_vat: bool, decision: Decision, expected: tuple[int, int, int]
) -> None:
    assert price_with_vat(cents, includes_vat, decision) == expected


@given(
    st.integers(0, 10**9), st.booleans(), st.sampled_from([STANDARD, EXEMPT, REVERSED, decide(country="FR", day=DAY)])
)
def test_no_cent_is_lost_between_net_and_vat(cents: int, includes_vat: bool, decision: Decision) -> None:
    gross, net, vat = price_with_vat(cents, includes_vat, decision)
    assert gross == net + vat
    assert abs(vat * 1000 - net * decision.rate_permille) <= 1000
    if not includes_vat:
        assert net == cents
    elif decision.rate_permille:
        assert gross == cents
