"""The content of a document, as it will be kept: names, addresses and words are copied, never looked up again.

    {"format", "id", "kind": "invoice"|"credit_note", "purpose": "monthly"|"now"|"deposit"|"correction", "number",
     "series", "sequence", "issued_on", "due_on", "period": {"from", "until"}|null, "currency", "locale", "seller",
     "buyer", "lines", "taxes", "totals", "mentions", "payment", "corrects": {"id", "number", "issued_on"}|null,
     "previous_hash"}

Amounts are cents, quantities thousandths, days ISO 8601. Those of a credit note are positive, and owed to the buyer.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from app.billing.invoices.drafting import DEPOSITS, Draft, Open
from app.billing.invoices.mentions import mentions
from app.billing.invoices.wording import line_text
from app.vat.totals import Totals

FORMAT = "passerelle.document/1"


class Seller(NamedTuple):
    """The operator as its documents name it on a day."""

    id: str
    name: str
    street: str
    postcode: str
    town: str
    country: str
    company_number: str
    vat_number: str | None
    iban: str
    regime: str


class Buyer(NamedTuple):
    """The party as a document names it."""

    id: str
    name: str
    street: str
    postcode: str
    town: str
    country: str
    is_business: bool
    company_number: str | None
    vat_number: str | None
    purchase_order: str | None


class Corrected(NamedTuple):
    """The invoice that a credit note corrects."""

    id: str
    number: str
    issued_on: str


class Place(NamedTuple):
    """What a document gets when its series is locked: its place there, and what follows from it."""

    number: str
    series: str
    sequence: int
    issued_on: date
    due_on: date
    communication: str
    previous_hash: str


def content(
    draft: Draft,
    totals: Totals,
    *,
    uid: UUID,
    locale: str,
    seller: Seller,
    buyer: Buyer,
    day: date,
    terms_days: int,
    corrected: Corrected | None = None,
) -> dict[str, Any]:
    """A document's content but for its place in a series (see `placed`); `day` is that of issue."""
    is_credit = draft.kind == "credit_note"
    codes = [tax.mention for tax in totals.taxes]
    said = mentions(
        country=seller.country, to_business=buyer.is_business, kind=draft.kind, deposit=of_deposits(draft),
        vat_codes=codes, day=day, locale=locale,
    )  # fmt: skip
    return {
        "format": FORMAT,
        "id": str(uid),
        "kind": "credit_note" if is_credit else "invoice",
        "purpose": "correction" if is_credit else draft.kind,
        "period": period(draft),
        "currency": draft.currency,
        "locale": locale,
        "seller": seller._asdict(),
        "buyer": buyer._asdict(),
        "lines": [
            _line(no, charge, net, locale=locale)
            for no, (charge, net) in enumerate(zip(draft.lines, totals.item_net_cents, strict=True), 1)
        ],
        "taxes": [tax._asdict() for tax in totals.taxes],
        "totals": {
            "net_cents": totals.net_cents,
            "vat_cents": totals.vat_cents,
            "gross_cents": totals.gross_cents,
            "due_cents": totals.gross_cents,
        },
        "mentions": said,
        "payment": {"iban": seller.iban, "terms_days": terms_days},
        "corrects": corrected._asdict() if corrected else None,
    }


def placed(content: dict[str, Any], place: Place) -> dict[str, Any]:
    """The whole content, once the place in the series is known."""
    return {
        **content,
        "number": place.number,
        "series": place.series,
        "sequence": place.sequence,
        "issued_on": place.issued_on.isoformat(),
        "due_on": place.due_on.isoformat(),
        "payment": {**content["payment"], "communication": place.communication},
        "previous_hash": place.previous_hash,
    }


def of_deposits(draft: Draft) -> bool:
    """Whether it asks for deposits, or gives them back: no supply, and never mixed with one."""
    return draft.lines[0].kind in DEPOSITS


def period(draft: Draft) -> dict[str, str] | None:
    """The days that the lines are for; a deposit is for none."""
    if of_deposits(draft):
        return None
    first = min(charge.service_from for charge in draft.lines)
    last = max(charge.service_until for charge in draft.lines)
    return {"from": first.isoformat(), "until": last.isoformat()}


def _line(no: int, charge: Open, net_cents: int, *, locale: str) -> dict[str, Any]:
    return {
        "no": no,
        "charge_id": str(charge.uid),
        "kind": charge.kind,
        "space": charge.space,
        "person": charge.person,
        "text": line_text(
            kind=charge.kind, facts=charge.facts, plan=charge.plan, timezone=charge.timezone, locale=locale
        ),
        "service_from": charge.service_from.isoformat(),
        "service_until": charge.service_until.isoformat(),
        "quantity_milli": abs(charge.quantity_milli) * (-1 if net_cents < 0 else 1),
        "unit": charge.unit,
        "net_cents": net_cents,
        "vat": {
            "category": charge.vat_category,
            "permille": charge.vat_permille,
            "includes_vat": charge.includes_vat,  # whose total is rounded: the VAT in the gross, or on the net
        },
        "corrects": str(charge.corrects) if charge.corrects else None,
        "late": charge.late,
    }
