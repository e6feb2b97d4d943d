"""Where a party's electronic invoices go, and which list its numbers are of: dated facts as rows. Pure.

Electronic Address Scheme codes (EAS) and ISO/IEC 6523 codes, as OpenPeppol and the CEN publish them.
"""

from __future__ import annotations

from app.billing.einvoices.semantic import Identifier

SIREN, SIRET, BCE = "0002", "0009", "0208"
FRENCH_ADDRESS = "0225"  # of the French directory: a SIREN, or a SIREN and what follows it

# Numbers of the VAT registers that are electronic addresses too, by their first two letters.
VAT_SCHEMES = {
    "AT": "9914", "BE": "9925", "BG": "9926", "CY": "9928", "CZ": "9929", "DE": "9930", "EE": "9931", "EL": "9933",
    "ES": "9920", "FR": "9957", "GB": "9932", "HR": "9934", "HU": "9910", "IE": "9935", "IT": "0211", "LI": "9936",
    "LT": "9937", "LU": "9938", "LV": "9939", "MT": "9943", "NL": "9944", "PL": "9945", "PT": "9946", "RO": "9947",
    "SI": "9949", "SK": "9950", "CH": "9927",
}  # fmt: skip


def digits(number: str | None) -> str:
    """A number without the dots and blanks that people write in it."""
    return "".join(sign for sign in number or "" if sign.isalnum())


def company_number(country: str, number: str | None, vat_number: str | None) -> str:
    """The number of a company: given, or in Belgium and France contained in its VAT number; empty where it has none."""
    given = digits(number)
    if given or not vat_number:
        return given
    vat = digits(vat_number)
    if country == "BE" and vat.startswith("BE"):
        return vat[2:]
    return vat[4:] if country == "FR" and vat.startswith("FR") and len(vat) == 13 else ""


def is_bce(number: str) -> bool:
    """Ten digits, the last two 97 less the rest modulo 97 (numéro BCE)."""
    return len(number) == 10 and number.isdigit() and 97 - int(number[:8]) % 97 == int(number[8:])


def legal(country: str, number: str) -> Identifier | None:
    """The register and the number a company is known by in it (BT-30, BT-47)."""
    if not number:
        return None
    if country == "BE" and is_bce(number):
        return Identifier(BCE, number)
    if country == "FR" and len(number) in (9, 14) and number.isdigit():
        return Identifier(SIREN, number[:9])
    return Identifier(None, number)


def establishment(country: str, number: str) -> Identifier | None:
    """The SIRET of a French company that gave one (BT-29, BT-46)."""
    return Identifier(SIRET, number) if country == "FR" and len(number) == 14 and number.isdigit() else None


def electronic(country: str, number: str, vat_number: str | None) -> Identifier | None:
    """Where e-invoices to a company go, as its numbers suggest: a directory may know better, see snapshot's
    `electronic_address`. None for a private person, and for a company without a number in any register."""
    if country == "BE" and is_bce(number):
        return Identifier(BCE, number)
    if country == "FR" and len(number) in (9, 14) and number.isdigit():
        return Identifier(FRENCH_ADDRESS, number[:9])
    vat = digits(vat_number)
    scheme = VAT_SCHEMES.get(vat[:2])
    return Identifier(scheme, vat) if scheme else None
