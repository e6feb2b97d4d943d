"""Where a country's VAT is not the same everywhere: which postcode lies in which territory, and where there is none.

France counts for VAT as its mainland, Corsica, and Guadeloupe, Martinique and Réunion, which have rates of their own;
in Guyane and Mayotte the tax is not applied. The islands of the Pacific, Saint-Pierre-et-Miquelon, Saint-Martin and
Saint-Barthélemy have taxes of their own, which no row here knows: VatUndecided. Territories go by their ISO 3166 codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple


class NoVat(NamedTuple):
    """From `valid_from` on, no VAT is levied in the territory, and a document says so with the mention."""

    territory: str
    valid_from: date
    mention_code: str
    source: str


POSTCODES: Mapping[tuple[str, str], str] = {
    ("FR", "971"): "GP",
    ("FR", "97133"): "BL",
    ("FR", "97150"): "MF",
    ("FR", "972"): "MQ",
    ("FR", "973"): "GF",
    ("FR", "974"): "RE",
    ("FR", "975"): "PM",
    ("FR", "976"): "YT",
    ("FR", "986"): "WF",
    ("FR", "987"): "PF",
    ("FR", "988"): "NC",
}
"""(country, beginning of a postcode): the longest beginning that fits decides."""

NO_VAT: tuple[NoVat, ...] = (
    NoVat("GF", date(1948, 4, 1), "fr_overseas_294", "CGI, art. 294, 1"),
    NoVat("YT", date(2014, 1, 1), "fr_overseas_294", "CGI, art. 294, 1"),
)

FISCAL_COUNTRY: Mapping[str, str] = {"GP": "FR", "MQ": "FR", "RE": "FR", "GF": "FR", "YT": "FR", "MC": "FR"}
"""Whose tax authority a customer with this country code belongs to (CGI, art. 294; for Monaco directive art. 7)."""


def territory_of(country: str, postcode: str = "") -> str:
    """The territory a place lies in: the country itself where its postcode says nothing else."""
    places = [(prefix, code) for (own, prefix), code in POSTCODES.items() if own == country]
    fitting = [place for place in places if postcode.replace(" ", "").startswith(place[0])]
    return max(fitting, key=lambda place: len(place[0]))[1] if fitting else country


def without_vat(territory: str, day: date) -> NoVat | None:
    """Why no VAT is levied in a territory on `day`; None where it is, or where nothing is known."""
    in_force = [row for row in NO_VAT if row.territory == territory and row.valid_from <= day]
    return max(in_force, key=lambda row: row.valid_from) if in_force else None
