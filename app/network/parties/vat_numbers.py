"""VAT and company numbers: their spelling and check digits. Whether a number is in use, only an authority knows."""

from __future__ import annotations

import re
from functools import cache

from babel import Locale
from stdnum.be import vat as belgian
from stdnum.eu import vat as european
from stdnum.exceptions import ValidationError
from stdnum.fr import siren, siret

from app.errors import Invalid
from app.vat.rates import EU_COUNTRIES
from app.vat.territories import FISCAL_COUNTRY

LETTERS = {"GR": "EL"}  # what VAT numbers begin with, where it is not the code of the country
_BETWEEN = re.compile(r"[\s./\-]+")
_ELSEWHERE = re.compile(r"[A-Z0-9]{4,20}")
# In CLDR's list of territories, but nobody's address.
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


@cache
def countries() -> frozenset[str]:
    """The ISO 3166 codes of countries and territories."""
    known = {str(code) for code in Locale.parse("en").territories}
    return frozenset(code for code in known if len(code) == 2 and code.isalpha()) - _NO_COUNTRIES


def letters_of(country: str) -> str | None:
    """What a VAT number of `country` begins with; None outside the Union."""
    fiscal = FISCAL_COUNTRY.get(country, country)
    return LETTERS.get(fiscal, fiscal) if fiscal in EU_COUNTRIES else None


def is_of_the_union(vat_number: str) -> bool:
    """Whether VIES can be asked about a number spelt as `checked_vat_number` spells it."""
    return vat_number[:2] in {LETTERS.get(country, country) for country in EU_COUNTRIES}


def checked_vat_number(number: str, *, country: str) -> str:
    """A VAT number of `country` in its one spelling, with the country's letters. Raises Invalid on `vat_number`.

    Outside the Union only its shape is looked at.
    """
    compact = _BETWEEN.sub("", number).upper()
    letters = letters_of(country)
    if letters is None:
        return _shaped(compact, _ELSEWHERE, "vat_number", "give 4 to 20 letters and digits")
    if not compact.startswith(letters):
        compact = letters + compact
    try:
        return str(european.validate(compact))
    except ValidationError:
        raise Invalid.field("vat_number", f"is not a VAT number of {country}: write {letters} and its digits") from None


def checked_company_number(number: str, *, country: str) -> str:
    """A numéro BCE (ten digits), a SIREN or SIRET, or another country's number. Raises Invalid on `company_number`."""
    compact = _BETWEEN.sub("", number).upper()
    try:
        if country == "BE":
            return str(belgian.validate(compact.removeprefix("BE")))
        if FISCAL_COUNTRY.get(country, country) == "FR" and country != "MC":
            return str((siret if len(compact) == 14 else siren).validate(compact))
    except ValidationError:
        wanted = "ten digits of the BCE" if country == "BE" else "a SIREN of nine digits or a SIRET of fourteen"
        raise Invalid.field("company_number", f"is not right: give {wanted}") from None
    return _shaped(compact, re.compile(r"[A-Z0-9]{1,40}"), "company_number", "give at most 40 letters and digits")


def company_number_in(vat_number: str) -> str | None:
    """The company's number that a Belgian or French VAT number contains; None of other countries and of Monaco."""
    if vat_number.startswith("BE"):
        return vat_number[2:]
    if vat_number.startswith("FR") and not vat_number.startswith("000", 4):
        return vat_number[4:]
    return None


def _shaped(compact: str, shape: re.Pattern[str], field: str, remedy: str) -> str:
    if not shape.fullmatch(compact):
        raise Invalid.field(field, remedy)
    return compact
