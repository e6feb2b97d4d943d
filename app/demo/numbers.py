"""Company, VAT and bank account numbers with valid check digits, from ranges that are assigned to nobody."""

from __future__ import annotations

from typing import NamedTuple

# Assigned numéros BCE begin at 0200.000.000, and no SIREN begins with 0.
_BCE_FROM = 1_000_000
_SIREN_FROM = 9_900_000
# Not in the Belgian list of bank codes; 00000 is no French bank.
_BE_BANK = 999
_FR_BANK, _FR_BRANCH = "00000", "00001"


class LegalNumbers(NamedTuple):
    company_number: str
    vat_number: str
    iban: str


def legal_numbers(country: str, n: int) -> LegalNumbers:
    """The numbers of the `n`th operator of a country; the same every time."""
    company = be_company_number(n) if country == "BE" else siren(n)
    vat = f"BE{company}" if country == "BE" else f"FR{(12 + 3 * (int(company) % 97)) % 97:02d}{company}"
    return LegalNumbers(company, vat, be_iban(n) if country == "BE" else fr_iban(n))


def be_company_number(n: int) -> str:
    """Ten digits; the last two are 97 less the rest modulo 97."""
    body = _BCE_FROM + n
    return f"{body:08d}{97 - body % 97:02d}"


def siren(n: int) -> str:
    """Nine digits that pass Luhn's check."""
    body = f"{_SIREN_FROM + n:08d}"
    doubled = [int(digit) * (2 if i % 2 else 1) for i, digit in enumerate(body)]
    return body + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def be_iban(n: int) -> str:
    """Three digits of bank, seven of account, two of Belgium's own check."""
    body = f"{_BE_BANK:03d}{n:07d}"
    return _with_check_digits("BE", f"{body}{int(body) % 97 or 97:02d}")


def fr_iban(n: int) -> str:
    """Bank, branch, account, and the clé RIB: 97 less the weighted sum modulo 97."""
    account = f"{n:011d}"
    key = 97 - (89 * int(_FR_BANK) + 15 * int(_FR_BRANCH) + 3 * int(account)) % 97
    return _with_check_digits("FR", f"{_FR_BANK}{_FR_BRANCH}{account}{key:02d}")


def _with_check_digits(country: str, national: str) -> str:
    """ISO 13616: 98 less the number modulo 97, letters counted from A = 10."""
    letters = "".join(str(ord(letter) - 55) for letter in country)
    return f"{country}{98 - int(f'{national}{letters}00') % 97:02d}{national}"
