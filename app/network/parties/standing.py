"""What a party is for VAT: a business only while its number is known to be valid, else a private person.

Implementing regulation (EU) no 282/2011, art. 18: a supplier may take its customer for a taxable person once the
validity of the number has been confirmed. Whoever has none, or one that nobody has confirmed or VIES has denied, is
charged VAT like anybody else; the documents after a confirmation, or a denial, follow it.
"""

from __future__ import annotations

from typing import NamedTuple

BUSINESS, PRIVATE_PERSON = "business", "private_person"
REASONS = ("is_private", "no_vat_number", "vat_number_unconfirmed", "vat_number_invalid", "vat_number_valid")

_REASON = {
    "valid": "vat_number_valid",
    "invalid": "vat_number_invalid",
    "unchecked": "vat_number_unconfirmed",
    "unknown": "vat_number_unconfirmed",
}


class Standing(NamedTuple):
    """`treated_as` business or private_person, and why."""

    treated_as: str
    reason: str


def standing(*, is_business: bool, vat_number: str | None, vat_status: str) -> Standing:
    """What a party with these facts is for VAT."""
    if not is_business:
        return Standing(PRIVATE_PERSON, "is_private")
    if not vat_number:
        return Standing(PRIVATE_PERSON, "no_vat_number")
    return Standing(BUSINESS if vat_status == "valid" else PRIVATE_PERSON, _REASON[vat_status])
