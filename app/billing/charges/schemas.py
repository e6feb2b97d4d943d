"""Shapes of charges on the wire, and how rows become answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from marshmallow import Schema, fields, validate

from app.billing.charges.listing import Shown, Unbilled
from app.billing.charges.manual import MOST_CENTS, MOST_MILLI
from app.billing.charges.models import KINDS, UNITS
from app.billing.months import written
from app.http.schemas import PageQuery, PriceShape, Strict, not_blank, one_line
from app.vat.places import PLACES_OF_SUPPLY

MONTH = r"2[0-9]{3}-(0[1-9]|1[0-2])"


def month(**kwargs: Any) -> fields.String:
    doc = {"description": "A calendar month.", "example": "2026-11"}
    return fields.String(validate=validate.Regexp(f"^{MONTH}\\Z"), metadata=doc, **kwargs)


def first_day(given: str | None) -> date | None:
    return date.fromisoformat(f"{given}-01") if given else None


class ChargesQuery(PageQuery):
    month = month(load_default=None)
    party_id = fields.UUID(load_default=None)
    invoiced = fields.Boolean(load_default=None, metadata={"description": "Only those on a document, or on none."})


class UnbilledQuery(Strict):
    until = month(load_default=None)


class NewCharge(Strict):
    """Who owes it: `party_id`, or `member_id` for a guest who was never charged."""

    party_id = fields.UUID(load_default=None)
    member_id = fields.UUID(load_default=None)
    space_id = fields.UUID(load_default=None, metadata={"description": "Default: the operator at large."})
    description = fields.String(required=True, validate=[validate.Length(1, 200), not_blank, one_line])
    quantity_milli = fields.Integer(
        strict=True,
        load_default=1000,
        validate=validate.Range(1, MOST_MILLI),
        metadata={"description": "In thousandths of `unit`: 1500 is one and a half."},
    )
    unit = fields.String(load_default="piece", validate=validate.OneOf(UNITS))
    unit_price_cents = fields.Integer(required=True, strict=True, validate=validate.Range(0, MOST_CENTS))
    includes_vat = fields.Boolean(load_default=False, metadata={"description": "Whether the price has VAT in it."})
    currency = fields.String(
        load_default=None, validate=validate.Length(3, 3), metadata={"description": "The operator's, if given."}
    )
    service_from = fields.Date(required=True)
    service_until = fields.Date(
        load_default=None, metadata={"description": "Its last day, today at the latest. Default: the first."}
    )
    place_of_supply = fields.String(load_default="IMMOVABLE", validate=validate.OneOf(PLACES_OF_SUPPLY))


class ChargeVat(Schema):
    permille = fields.Integer(required=True)
    category = fields.String(required=True, metadata={"description": "Of EN 16931: S, E, O, AE ..."})
    ground = fields.String(required=True)
    mention = fields.String(required=True, allow_none=True)
    includes_vat = fields.Boolean(required=True)


class ChargeShape(Schema):
    """`price` is signed: negative is owed back. `corrects_id` is the charge it takes back, in whole or in part.
    `invoice_id` is the document it is on; one that is `settled` cancels out with others and will be on none."""

    id = fields.UUID(required=True)
    operator_id = fields.UUID(required=True)
    space_id = fields.UUID(required=True, allow_none=True)
    party_id = fields.UUID(required=True, allow_none=True)
    member_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "Who used it, where you may know."}
    )
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    subject_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The booking or membership."})
    service_from = fields.Date(required=True)
    service_until = fields.Date(required=True, metadata={"description": "Counted."})
    facts = fields.Dict(required=True)
    quantity_milli = fields.Integer(required=True)
    unit = fields.String(required=True, validate=validate.OneOf(UNITS))
    price = fields.Nested(PriceShape, required=True)
    vat = fields.Nested(ChargeVat, required=True)
    corrects_id = fields.UUID(required=True, allow_none=True)
    earned_on = fields.Date(required=True, allow_none=True)
    month = month(required=True)
    late = fields.Boolean(
        required=True, metadata={"description": "Whether its own month was closed before it came: it is with the next."}
    )
    invoice_id = fields.UUID(required=True, allow_none=True)
    settled = fields.Boolean(required=True)


class UnbilledLine(Schema):
    month = month(required=True)
    party_id = fields.UUID(required=True)
    party = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    charges = fields.Integer(required=True)
    price = fields.Nested(PriceShape, required=True)


class UnbilledShape(Schema):
    """What is on no document yet, by month, party and kind; `totals` has a sum for each currency."""

    lines = fields.List(fields.Nested(UnbilledLine), required=True)
    totals = fields.List(fields.Nested(PriceShape), required=True)


def describe(each: Shown) -> dict[str, Any]:
    charge = each.charge
    return {
        "id": str(charge.uid),
        **{name: str(uid) if uid else None for name, uid in each.uids.items()},
        "kind": charge.kind,
        "subject_id": str(charge.subject_uid) if charge.subject_uid else None,
        "service_from": charge.service_from.isoformat(),
        "service_until": charge.service_until.isoformat(),
        "facts": charge.facts,
        "quantity_milli": charge.quantity_milli,
        "unit": charge.unit,
        "price": _price(charge),
        "vat": {
            "permille": charge.vat_permille,
            "category": charge.vat_category,
            "ground": charge.vat_ground,
            "mention": charge.vat_mention,
            "includes_vat": charge.includes_vat,
        },
        "earned_on": charge.earned_on.isoformat() if charge.earned_on else None,
        "month": written(charge.month),
        "late": charge.late,
        "settled": charge.settled_at is not None,
    }


def describe_unbilled(lines: Sequence[Unbilled]) -> dict[str, Any]:
    shown = [
        {
            "month": written(line.month),
            "party_id": str(line.party_id),
            "party": line.party,
            "kind": line.kind,
            "charges": line.charges,
            "price": _price(line),
        }
        for line in lines
    ]
    return {
        "lines": shown,
        "totals": [_total(currency, lines) for currency in sorted({each.currency for each in lines})],
    }


def _total(currency: str, lines: Sequence[Unbilled]) -> dict[str, Any]:
    mine = [line for line in lines if line.currency == currency]
    return {
        "amount_cents": sum(line.gross_cents for line in mine),
        "currency": currency,
        "net_cents": sum(line.net_cents for line in mine),
        "vat_cents": sum(line.vat_cents for line in mine),
    }


def _price(of: Any) -> dict[str, Any]:
    return {
        "amount_cents": of.gross_cents,
        "currency": of.currency,
        "net_cents": of.net_cents,
        "vat_cents": of.vat_cents,
    }
