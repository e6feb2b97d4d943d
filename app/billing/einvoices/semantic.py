"""A document in the terms of EN 16931, between the stored snapshot and the syntaxes it is written in. Pure.

Amounts are cents, rates permille, quantities thousandths, days ISO 8601. BT-… are the standard's own names.
"""

from __future__ import annotations

from typing import NamedTuple

from app.vat.territories import FISCAL_COUNTRY


class Identifier(NamedTuple):
    """A number and the list it is of: ISO/IEC 6523 for companies, EAS for electronic addresses; null where none is."""

    scheme: str | None
    value: str


class Party(NamedTuple):
    """The seller (BG-4) or the buyer (BG-7). `tax_number` stands for a seller without a VAT number (BT-32)."""

    name: str
    street: str
    postcode: str
    town: str
    country: str
    is_business: bool
    legal: Identifier | None
    establishment: Identifier | None
    vat_number: str | None
    tax_number: str | None
    address: Identifier | None

    @property
    def state(self) -> str:
        """Whose tax office it belongs to: Réunion's is France's."""
        return FISCAL_COUNTRY.get(self.country, self.country)


class Note(NamedTuple):
    """A text of the document (BT-22), and the code of its subject (BT-21) where it has one."""

    subject: str | None
    text: str


class Period(NamedTuple):
    """Both days count."""

    first: str
    last: str


class Preceding(NamedTuple):
    """The invoice that a credit note corrects (BG-3)."""

    number: str
    issued_on: str


class Line(NamedTuple):
    """BG-25. `price` is the net price of one unit in euros, as written (BT-146)."""

    no: int
    name: str
    description: str | None
    quantity: str
    unit: str
    price: str
    net_cents: int
    category: str
    permille: int
    period: Period | None


class Tax(NamedTuple):
    """BG-23: one for each category and rate; where no VAT is charged, why (BT-120, BT-121)."""

    category: str
    permille: int
    net_cents: int
    vat_cents: int
    reason: str | None
    reason_code: str | None


class Document(NamedTuple):
    """The whole. `net + vat = gross`, and `gross - paid + rounding = due` (BT-113, BT-114, BT-115)."""

    number: str
    type_code: str
    is_credit_note: bool
    is_self_billed: bool
    is_supply: bool
    issued_on: str
    due_on: str
    currency: str
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    net_cents: int
    vat_cents: int
    gross_cents: int
    paid_cents: int
    rounding_cents: int
    due_cents: int
    notes: tuple[Note, ...]
    period: Period | None
    purchase_order: str | None
    preceding: Preceding | None
    iban: str | None
    account_name: str
    communication: str | None
    terms: str
