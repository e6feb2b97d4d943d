from __future__ import annotations

import pytest

from app.errors import Invalid
from app.network.parties.standing import Standing, standing
from app.network.parties.vat_numbers import (
    checked_company_number,
    checked_vat_number,
    company_number_in,
    countries,
    is_of_the_union,
    letters_of,
)


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("BE", "be 0200.000.043", "BE0200000043"),
        ("BE", "200.000.043", "BE0200000043"),
        ("FR", "46 800 000 010", "FR46800000010"),
        ("FR", "FR46800000010", "FR46800000010"),
        ("RE", "46800000010", "FR46800000010"),
        ("GR", "000000128", "EL000000128"),
        ("GR", "EL 000000128", "EL000000128"),
        ("NL", "NL-0000.00.008.B-01", "NL000000008B01"),
        ("CH", "CHE-000.000.001 MWST", "CHE000000001MWST"),
        ("GB", "gb 000 0000 00", "GB000000000"),
    ],
)
def test_a_vat_number_is_kept_in_one_spelling(country: str, written: str, kept: str) -> None:
    assert checked_vat_number(written, country=country) == kept
    assert checked_vat_number(kept, country=country) == kept


@pytest.mark.parametrize(
    ("country", "written"),
    [
        ("BE", "BE0200000044"), ("BE", "FR46800000010"), ("BE", "2000000141"), ("FR", "FR47800000010"), ("FR", "x"),
        ("DE", "DE123"), ("BE", "BE"), ("CH", "12"), ("CH", "x" * 21), ("BE", "BE٠٢٠٠٠٠٠٠٤٣"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_is_refused_by_name(country: str, written: str) -> None:
    with pytest.raises(Invalid, match="vat_number"):
        checked_vat_number(written, country=country)


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("BE", "0200.000.043", "0200000043"),
        ("BE", "BE 0200.000.043", "0200000043"),
        ("FR", "800 000 010", "800000010"),
        ("FR", "800 000 010 00002", "80000001000002"),
        ("DE", "HRB 1234", "HRB1234"),
    ],
)
def test_a_company_number_is_kept_in_one_spelling(country: str, written: str, kept: str) -> None:
    assert checked_company_number(written, country=country) == kept


@pytest.mark.parametrize(
    ("country", "written"), [("BE", "0200000044"), ("FR", "800000011"), ("FR", "80000001000003"), ("DE", "x" * 41)]
)
def test_a_company_number_that_cannot_be_is_refused_by_name(country: str, written: str) -> None:
    with pytest.raises(Invalid, match="company_number"):
        checked_company_number(written, country=country)


def test_what_a_vat_number_tells_of_its_company() -> None:
    assert company_number_in("BE0200000043") == "0200000043"
    assert company_number_in("FR46800000010") == "800000010"
    assert company_number_in("FR76000000001") is None  # of Monaco
    assert company_number_in("NL000000008B01") is None


def test_whose_numbers_vies_knows() -> None:
    assert letters_of("BE") == "BE"
    assert letters_of("GR") == "EL"
    assert letters_of("RE") == letters_of("MC") == "FR"
    assert letters_of("CH") is None
    assert is_of_the_union("EL000000128")
    assert not is_of_the_union("CHE000000001MWST")
    assert not is_of_the_union("GB000000000")


def test_countries_are_those_that_somebody_lives_in() -> None:
    assert {"BE", "FR", "RE", "GF", "YT", "MC", "CH", "GB"} <= countries()
    assert not {"EU", "ZZ", "be", "001"} & countries()


@pytest.mark.parametrize(
    ("is_business", "vat_number", "vat_status", "expected"),
    [
        (False, None, "unchecked", ("private_person", "is_private")),
        (True, None, "unchecked", ("private_person", "no_vat_number")),
        (True, "BE0200000043", "unchecked", ("private_person", "vat_number_unconfirmed")),
        (True, "BE0200000043", "unknown", ("private_person", "vat_number_unconfirmed")),
        (True, "BE0200000043", "invalid", ("private_person", "vat_number_invalid")),
        (True, "BE0200000043", "valid", ("business", "vat_number_valid")),
    ],
)
def test_a_business_without_a_number_known_to_be_valid_is_a_private_person_for_vat(
    is_business: bool, vat_number: str | None, vat_status: str, expected: tuple[str, str]
) -> None:
    found = standing(is_business=is_business, vat_number=vat_number, vat_status=vat_status)
    assert found == Standing(*expected)
